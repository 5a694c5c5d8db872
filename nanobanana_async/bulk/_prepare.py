"""The first pass: every row is checked before anything is paid for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from attrs import define, field, fields

from nanobanana_async._errors import InvalidRequestError
from nanobanana_async._models import ImageRequest
from nanobanana_async._validation import checked
from nanobanana_async.bulk._errors import FolderError, InputError, InvalidRowsError, Rejected
from nanobanana_async.bulk._folder import replace_file
from nanobanana_async.bulk._input import Input
from nanobanana_async.bulk._rows import Row, read_rows
from nanobanana_async.bulk._settings import BulkSettings

__all__ = [
    "FirstPass",
    "check_defaults",
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


def check_rows(source: Input, settings: BulkSettings) -> FirstPass:
    """Read all rows and check each.

    Raises:
        InputError: the file cannot be read, or holds nothing.
        InvalidRowsError: some rows break a rule, and they are not to be skipped.
    """
    found, keys = FirstPass(), set[str]()
    for row in read_rows(source.path, source.form):
        request = _request(row, settings)
        faults = _faults(row, request, settings)
        if source.form != "txt":  # there the key is the line's number
            faults += _twice(row, keys)
        if faults:
            found.rejected.append(Rejected(row.line, row.key, faults))
        else:
            found.by_class[request.model or settings.model, request.resolution] += 1
    rows, rejected = found.valid + len(found.rejected), len(found.rejected)
    if rows == 0:
        raise InputError(f"{source.name} holds no rows")
    if rejected and not settings.skip_invalid:
        raise InvalidRowsError(
            f"{rejected:,} of {rows:,} rows break a rule",
            count=rejected,
            rejected=found.rejected[:_NAMED],
        )
    return found


def requests_of(
    source: Input, settings: BulkSettings, rejected: Container[int]
) -> Iterator[tuple[int, ImageRequest]]:
    """Yield the rows anew, each with its line, but for those at the rejected lines."""
    for row in read_rows(source.path, source.form):
        if row.line not in rejected:
            yield row.line, _request(row, settings)


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


def write_rejected(path: Path, rejected: Iterable[Rejected]) -> None:
    """Write rejected.jsonl, which a continued run reads: those rows stay out."""
    lines = (json.dumps(_as_json(one), ensure_ascii=False) for one in rejected)
    replace_file(path, "".join(f"{line}\n" for line in lines).encode())


def read_rejected(path: Path) -> frozenset[int]:
    """Return the lines of the rows that were left out.

    Raises:
        FolderError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return frozenset(json.loads(line)["line"] for line in text.split("\n") if line)
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FolderError(f"{path} cannot be read: {error}") from None


def _as_json(one: Rejected) -> dict[str, Any]:
    faults = [{"field": field, "reason": reason} for field, reason in one.faults]
    return {"line": one.line, "key": one.key, "faults": faults}
