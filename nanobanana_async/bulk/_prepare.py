"""The first pass: every row is checked before anything is paid for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from attrs import define, field, fields

from nanobanana_async._errors import InvalidRequestError
from nanobanana_async._models import ImageRequest
from nanobanana_async._validation import checked
from nanobanana_async.bulk._errors import (
    BulkError,
    DiskError,
    InputError,
    InvalidRowsError,
    Rejected,
)
from nanobanana_async.bulk._folder import keep_file
from nanobanana_async.bulk._input import Input
from nanobanana_async.bulk._rows import Row, read_rows
from nanobanana_async.bulk._settings import BulkSettings

__all__ = [
    "FirstPass",
    "check_defaults",
    "check_prices",
    "check_rows",
    "read_rejected",
    "requests_of",
    "write_rejected",
]

_NAMED: Final = 20
_FIELDS: Final = frozenset(attribute.name for attribute in fields(ImageRequest))


@define
class FirstPass:
    """What the rows of an input are."""

    rejected: list[Rejected] = field(factory=list)
    """Those that break a rule: all where they are skipped, else the first ones."""
    invalid: int = 0
    """How many break a rule."""
    by_class: Counter[tuple[str, str | None]] = field(factory=Counter)
    """Valid rows by model and resolution, None where the row leaves it to the API."""

    @property
    def valid(self) -> int:
        """Rows that can be submitted."""
        return self.by_class.total()


def check_defaults(settings: BulkSettings) -> None:
    """Refuse defaults that no row could have.

    Raises:
        InputError: a field that does not exist, or a value that breaks a rule.
    """
    unknown = settings.defaults.keys() - (_FIELDS - {"key", "prompt"})
    if unknown:
        raise InputError(f"There is no field named {min(unknown)!r} to give a default for")
    # Reference images may come with the rows, so a mode that asks for some is no fault here.
    try:
        checked(ImageRequest("a row's own", **settings.defaults), settings.model)
    except InvalidRequestError as error:
        faults = [fault for fault in error.faults if fault.field != "image_urls"]
        if faults:
            raise InputError("; ".join(map(str, faults))) from None


def check_rows(
    source: Input, settings: BulkSettings, stopped: Callable[[], bool] = lambda: False
) -> FirstPass:
    """Read all rows and check each, until `stopped` says that nobody wants to know any more.

    Raises:
        BulkError: it was stopped.
        InputError: the file cannot be read, or holds nothing.
        InvalidRowsError: some rows break a rule and are not to be skipped, or all do.
    """
    found, keys = FirstPass(), set[str]()
    for row in read_rows(source.path, source.form, source.title):
        if stopped():
            raise BulkError("Stopped before all rows were looked at", advice="Nothing was sent")
        request = _request(row, settings)
        faults = _faults(row, request, settings)
        if not faults and source.form != "txt":  # there the key is the line's number
            faults = _twice(row, keys)
        if not faults:
            found.by_class[request.model or settings.model, request.resolution] += 1
            continue
        found.invalid += 1
        if settings.skip_invalid or found.invalid <= _NAMED:
            found.rejected.append(Rejected(row.line, row.key, faults))
    if found.valid + found.invalid == 0:
        raise InputError(f"{source.title} holds no rows")
    if found.invalid and not (settings.skip_invalid and found.valid):
        raise _invalid_rows(found, source)
    return found


def _invalid_rows(found: FirstPass, source: Input) -> InvalidRowsError:
    rows = found.valid + found.invalid
    return InvalidRowsError(
        f"{found.invalid:,} of {rows:,} rows of {source.title} break a rule",
        count=found.invalid,
        rejected=found.rejected[:_NAMED],
        advice=None if found.valid else "Mend them; nothing was sent",
    )


def check_prices(classes: Iterable[tuple[str, str | None]], settings: BulkSettings) -> None:
    """See that each class of rows, by model and resolution, has a price where there are prices.

    Raises:
        InputError: one has none.
    """
    if (prices := settings.prices) is None:
        return
    for model, resolution in classes:
        prices.of(ImageRequest("", resolution=resolution), model)


def requests_of(
    source: Input, settings: BulkSettings, rejected: Container[int]
) -> Iterator[tuple[int, ImageRequest]]:
    """Yield the rows anew, each with its line, but for those at the rejected lines.

    Raises:
        DiskError: the input is gone, or is not any more what was checked.
    """
    try:
        for row in read_rows(source.path, source.form, source.title):
            # What was read before it was changed is in order: it was read, and then looked at.
            source.check_unchanged()
            if row.line not in rejected:
                yield row.line, _request(row, settings)
    except InputError as error:
        raise DiskError(str(error.args[0]), advice=_PUT_BACK) from None


_PUT_BACK: Final = (
    "Nothing more was submitted. Put it back as it was, then type the same command again"
)


def _request(row: Row, settings: BulkSettings) -> ImageRequest:
    given = {"prompt": ""} | dict(settings.defaults) | dict(row.fields)
    return ImageRequest(**given, key=row.key)


def _faults(row: Row, request: ImageRequest, settings: BulkSettings) -> tuple[tuple[str, str], ...]:
    if row.faults:
        return row.faults
    try:
        checked(request, settings.model)
    except InvalidRequestError as error:
        return tuple(
            (fault.field, f"{fault.value} must be {fault.allowed}") for fault in error.faults
        )
    return ()


def _twice(row: Row, keys: set[str]) -> tuple[tuple[str, str], ...]:
    if row.key in keys:
        return (("key", f"{row.key!r} is the key of an earlier row, too"),)
    keys.add(row.key)
    return ()


def write_rejected(path: Path, rejected: Iterable[Rejected]) -> str:
    """Write rejected.jsonl, which a continued run reads, and return its checksum.

    Raises:
        DiskError: it cannot be written.
    """
    lines = (json.dumps(_as_json(one), ensure_ascii=False) for one in rejected)
    content = "".join(f"{line}\n" for line in lines).encode()
    keep_file(path, content)
    return sha256(content).hexdigest()


def read_rejected(path: Path, checksum: str) -> frozenset[int] | None:
    """Return the lines of the rows that were left out; None where the file is another."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if sha256(content).hexdigest() != checksum:
        return None
    return frozenset(json.loads(line)["line"] for line in content.splitlines())


def _as_json(one: Rejected) -> dict[str, Any]:
    faults = [{"field": field, "reason": reason} for field, reason in one.faults]
    return {"line": one.line, "key": one.key, "faults": faults}
