"""A dry run: what a run would take, without sending anything."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import BinaryIO, Final

from attrs import frozen

from nanobanana_async._limits import Limits
from nanobanana_async._models import ImageRequest
from nanobanana_async._specs import MODELS
from nanobanana_async.bulk._errors import FolderError, InputError
from nanobanana_async.bulk._folder import Folder
from nanobanana_async.bulk._input import find_input
from nanobanana_async.bulk._manifest import read_lines
from nanobanana_async.bulk._prepare import FirstPass, check_defaults, check_rows, requests_of
from nanobanana_async.bulk._settings import BulkSettings

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
    done: int
    """Valid rows that have a line in the folder's manifest."""
    seconds: float
    """By the account's limits and usual service times."""
    money: Decimal | None
    """For what is to be submitted; None without prices."""
    over_budget: bool

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

    Raises:
        InputError: as `run`.
    """
    check_defaults(settings)
    with TemporaryDirectory() as scratch:
        rows = find_input(source, settings.format, Folder(Path(scratch)), stdin=stdin)
        found = check_rows(rows, settings)
        rejected = frozenset(one.line for one in found.rejected)
        before = _lines_of(Folder(Path(folder)))
        done = 0
        for _, request in requests_of(rows, settings, rejected):
            if request.key in before:
                done += 1
                found.by_class[request.model or settings.model, request.resolution] -= 1
    money = _money(found, settings)
    return Plan(
        rows=found.valid + done,
        invalid=len(found.rejected),
        done=done,
        seconds=_seconds(found, limits),
        money=money,
        over_budget=bool(money and settings.budget is not None and money > settings.budget),
    )


def _lines_of(folder: Folder) -> frozenset[str]:
    try:
        with folder.results.open("rb") as file:
            return frozenset(line["key"] for _, line in read_lines(file, folder.results))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise FolderError(f"{folder.results} cannot be read: {error.strerror}") from None


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
    if settings.prices is None:
        return None
    total = Decimal(0)
    for (model, resolution), count in found.by_class.items():
        try:
            price = settings.prices.of(ImageRequest("", resolution=resolution), model)
        except KeyError as error:
            raise InputError(f"No price is given for {error.args[0]}") from None
        total += price * count
    return total
