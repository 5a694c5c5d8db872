"""A dry run: what a run would take, without sending anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import BinaryIO, Final

from attrs import define, evolve, field, frozen

from nanobanana_async._limits import Limits
from nanobanana_async._models import ImageRequest
from nanobanana_async._specs import MODELS
from nanobanana_async.bulk._errors import FolderError
from nanobanana_async.bulk._folder import Folder, RunFile
from nanobanana_async.bulk._input import find_input
from nanobanana_async.bulk._lines import request_of_line
from nanobanana_async.bulk._manifest import entry_of, read_lines
from nanobanana_async.bulk._opening import check_same, described
from nanobanana_async.bulk._prepare import (
    FirstPass,
    check_defaults,
    check_prices,
    check_rows,
    requests_of,
)
from nanobanana_async.bulk._settings import BulkSettings
from nanobanana_async.bulk._steps import anew

__all__ = ["Plan", "plan"]

_MEAN_SECONDS: Final[Mapping[str | None, float]] = MappingProxyType(
    {"1K": 17.0, "2K": 27.0, "4K": 45.0}
)
"""The middle of the published measurements of Nano Banana 2."""
_REQUESTS_A_TASK: Final = 2
"""One submit and one status check, at the least."""


@frozen(kw_only=True)
class Plan:
    """What a run would come to."""

    rows: int
    """Rows of the input that are valid."""
    invalid: int
    """Rows that break a rule, and are left out."""
    done: int
    """Valid rows that earlier runs have brought to an end."""
    again: int
    """Rows that earlier runs have submitted, and that are to be submitted anew."""
    seconds: float
    """How long the run would take, in seconds: by the account's limits and usual service times."""
    money: Decimal | None
    """For what is to be submitted; None without prices."""
    spent: Decimal | None
    """By earlier runs in the folder, at these prices; None without prices."""
    over_budget: bool
    """True where both together are more than the budget."""

    @property
    def to_submit(self) -> int:
        """Rows that would be submitted."""
        return self.rows - self.done


def plan(
    source: str | Path,
    folder: str | Path,
    *,
    settings: BulkSettings = BulkSettings(),  # noqa: B008 - frozen
    limits: Limits = Limits(),  # noqa: B008 - frozen
    stdin: BinaryIO | None = None,
) -> Plan:
    """Check every row and estimate what a run would take. Nothing is sent, and nothing written.

    Blocks for as long as the input takes to be read.

    Args:
        source: as for `run`.
        folder: as for `run`; need not be there.
        settings: as for `run`.
        limits: what the account may do at once.
        stdin: as for `run`.

    Raises:
        InputError: as `run`.
        FolderError: as `run`, but for a folder that is in use or cannot be written.
        DiskError: a copy of what cannot be read twice cannot be written to the temporary folder.
    """
    check_defaults(settings)
    place = Folder(Path(folder))
    before = RunFile.read(place.run_file)
    if before is None:
        place.check_new()
    with TemporaryDirectory() as scratch:
        found_input = find_input(source, settings.format, place, scratch=Path(scratch), stdin=stdin)
        rows = found_input.seen()
        if before is not None and check_same(described(rows, place, settings), before, settings):
            settings = evolve(settings, skip_invalid=True)  # an earlier run has left them out
        found = check_rows(rows, settings)
        check_prices(found.by_class, settings)
        earlier = _earlier(place, settings)
        done = again = 0
        lines = frozenset(one.line for one in found.rejected)
        for _, request in requests_of(rows, settings, lines):
            if (once_more := earlier.anew.get(str(request.key))) is not None:
                done += not once_more
                again += once_more
                found.by_class[request.model or settings.model, request.resolution] -= not once_more
    money, spent = _money(found, settings), earlier.spent
    return Plan(
        rows=found.valid + done,
        invalid=found.invalid,
        done=done,
        again=again,
        seconds=_seconds(found, limits) if found.valid else 0.0,
        money=money,
        spent=None if settings.prices is None else spent,
        over_budget=bool(money and settings.budget is not None and spent + money > settings.budget),
    )


@define
class _Earlier:
    """What the manifest of earlier runs says."""

    anew: dict[str, bool] = field(factory=dict)
    """By key, whether the row would be submitted once more."""
    spent: Decimal = Decimal(0)


def _earlier(folder: Folder, settings: BulkSettings) -> _Earlier:
    found, attempts = _Earlier(), Counter[str]()
    try:
        with folder.results.open("rb") as file:
            for _, line in read_lines(file, folder.results):
                key, count = line["key"], line.get("attempts", 0)
                found.anew[key] = anew(entry_of(line), settings)
                if settings.prices is not None:
                    price = settings.prices.of(request_of_line(line), settings.model)
                    found.spent += price * (count - attempts[key])
                    attempts[key] = count
    except FileNotFoundError:
        return found
    except OSError as error:
        raise FolderError(f"{folder.results} cannot be read: {error.strerror}") from None
    return found


def _seconds(found: FirstPass, limits: Limits) -> float:
    work = longest = 0.0
    for (model, resolution), count in found.by_class.items():
        if count:
            mean = _mean(model, resolution)
            work, longest = work + count * mean, max(longest, mean)
    requests = found.valid * _REQUESTS_A_TASK * 60 / limits.requests_per_minute
    return max(requests, work / limits.concurrent_tasks) + longest


def _mean(model: str, resolution: str | None) -> float:
    default = MODELS[model].resolutions[0] if MODELS[model].resolutions else "1K"
    return _MEAN_SECONDS[resolution or default]


def _money(found: FirstPass, settings: BulkSettings) -> Decimal | None:
    if (prices := settings.prices) is None:
        return None
    return sum(
        (
            prices.of(ImageRequest("", resolution=resolution), model) * count
            for (model, resolution), count in found.by_class.items()
        ),
        Decimal(0),
    )
