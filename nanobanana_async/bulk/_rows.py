"""A file of requests, row by row: a prompt a line, CSV, or JSON lines. Read as a stream."""

from __future__ import annotations

import csv
import json
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TextIO, TypeAlias

from attrs import fields, frozen

from nanobanana_async._models import ImageRequest
from nanobanana_async.bulk._errors import InputError

__all__ = ["FORMATS", "Format", "Row", "read_rows"]

Format: TypeAlias = Literal["txt", "csv", "jsonl"]
FORMATS: Final[tuple[Format, ...]] = ("txt", "csv", "jsonl")

COLUMNS: Final = tuple(attribute.name for attribute in fields(ImageRequest))
_KNOWN: Final = frozenset(COLUMNS)
_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SHOWN: Final = 60
_LONGEST: Final = 10_000_000
"""Characters of a line; a file of one endless line must not fill the memory."""
_COLUMNS_ARE: Final = f"The columns are {', '.join(COLUMNS)}. Nothing was sent"
_QUOTING: Final = (
    "A value that holds a quote, the delimiter or a line end stands in quotes, which are closed, "
    "and quotes inside it are doubled. Nothing was sent"
)

Faults: TypeAlias = tuple[tuple[str, str], ...]


@frozen
class Row:
    """One row that has something in it."""

    line: int
    """Where it begins in the file, from 1."""
    key: str
    """Its own, or its number: the line's in text and JSON lines, the record's in CSV."""
    fields: Mapping[str, Any]
    """What it gives of `ImageRequest`'s fields, without `key`."""
    faults: Faults = ()
    """Field and reason of what cannot even be read; the rules of the API come later."""


def read_rows(path: Path, form: Format, title: str | None = None) -> Iterator[Row]:
    """Yield the rows of a file; empty lines are none.

    Args:
        path: where it is.
        form: what it holds.
        title: what its user calls it; the path when None.

    Raises:
        InputError: it is no text, or not of this form.
    """
    title = title or str(path)
    try:
        # A BOM, as spreadsheets write it, is none of the text. newline="": CSV may have some inside.
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _READERS[form](_whole_lines(file, title), title)
    except UnicodeDecodeError:
        raise InputError(f"{title} is no text in UTF-8: {_why(path)}", advice=_SAVE) from None
    except OSError as error:
        raise InputError(f"{title} cannot be read: {error.strerror}") from None


_SAVE: Final = "Save it as UTF-8. Nothing was sent"


def _why(path: Path) -> str:
    """Say where it stops being UTF-8: the decoder reads ahead, and knows no lines."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1 and line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
                return "it is in UTF-16"
            try:
                line.decode()
            except UnicodeDecodeError:
                return f"line {number} is in another encoding, or no text"
    return "it changed while it was read"


def _whole_lines(file: TextIO, title: str) -> Iterator[str]:
    number = 0
    while line := file.readline(_LONGEST):
        number += 1
        if "\0" in line:
            raise InputError(f"{title} is no text: line {number} holds a NUL byte", advice=_SAVE)
        if len(line) == _LONGEST:
            raise InputError(f"Line {number} of {title} is longer than a row can be")
        yield line


def _full(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            yield number, text


def _text(lines: Iterator[str], _: str) -> Iterator[Row]:
    for number, line in _full(lines):
        yield Row(number, str(number), {"prompt": line})


def _json_lines(lines: Iterator[str], _: str) -> Iterator[Row]:
    for number, line in _full(lines):
        try:
            yield _json_row(number, json.loads(line))
        except json.JSONDecodeError as error:
            yield _unreadable(number, f"is no JSON: {error.msg} at column {error.colno}")
        except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists
            yield _unreadable(number, "is no JSON that can be read")


def _json_row(number: int, value: object) -> Row:
    if not isinstance(value, dict):
        return _unreadable(number, 'must be a JSON object, such as {"prompt": "a cat"}')
    # As in CSV, what is empty is not given.
    given = {name: one for name, one in value.items() if one is not None and not _blank(one)}
    known = {name: one for name, one in given.items() if name in _KNOWN}
    key, faults = _key(known.pop("key", None), number)
    unknown = (_unknown(name) for name in given if name not in _KNOWN)
    return Row(number, key, known, (*faults, *unknown))


def _unreadable(number: int, reason: str) -> Row:
    return Row(number, str(number), {}, (("row", reason),))


def _unknown(name: str) -> tuple[str, str]:
    return _shown(name), f"is no field; the fields are {', '.join(COLUMNS)}"


def _shown(name: str) -> str:
    """Put somebody's text so that it is short, and does nothing to a terminal."""
    text = name if name.isprintable() and name else repr(name)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _csv(lines: Iterator[str], title: str) -> Iterator[Row]:
    began, number = 1, 0
    try:
        names, delimiter = _header(next(lines, ""), title)
        reader, began = csv.reader(lines, delimiter=delimiter, strict=True), 2
        for values in reader:
            if any(value.strip() for value in values):
                number += 1
                yield _csv_row(began, number, names, values, delimiter)
            began = reader.line_num + 2  # the first line is the header
    except csv.Error as error:
        raise InputError(
            f"{title} cannot be read as CSV from line {began} on: {error}", advice=_QUOTING
        ) from None


def _header(line: str, title: str) -> tuple[list[str], str]:
    """Return the columns, and what stands between them: spreadsheets have their own ideas."""
    for delimiter in (",", ";", "\t"):
        names = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
        if "prompt" in names:
            break
    else:
        raise InputError(
            f"{title} has no column named prompt in its first line", advice=_COLUMNS_ARE
        )
    while not names[-1]:  # as spreadsheets write them for columns that were used once
        names.pop()
    for name in names:
        if name not in _KNOWN:
            raise InputError(
                f"{title} has a column that is not known: {_shown(name)}", advice=_COLUMNS_ARE
            )
        if names.count(name) > 1:
            raise InputError(f"{title} has the column {name} twice")
    return names, delimiter


def _csv_row(line: int, number: int, names: list[str], values: list[str], delimiter: str) -> Row:
    while len(values) > len(names) and not values[-1].strip():
        values.pop()
    if len(values) > len(names):
        fault = (
            f"has {len(values)} values for {len(names)} columns; a value with a {delimiter!r} in "
            "it stands in quotes"
        )
        return Row(line, str(number), {}, (("row", fault),))
    given, faults = dict[str, Any](), list[tuple[str, str]]()
    for name, value in zip(names, values, strict=False):
        if _blank(value):
            continue
        try:
            given[name] = _FROM_TEXT.get(name, str)(value)
        except ValueError as error:
            faults.append((name, str(error)))
    key, key_faults = _key(given.pop("key", None), number)
    return Row(line, key, given, (*key_faults, *faults))


def _key(value: object, number: int) -> tuple[str, Iterable[tuple[str, str]]]:
    if value is None:
        return str(number), ()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value), ()
    if isinstance(value, str) and _encodes(value):
        return value.strip(), ()
    return str(number), (("key", "must be a text or a whole number"),)


def _encodes(text: str) -> bool:
    """Tell whether it can be written down: JSON can spell halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _urls(text: str) -> list[str]:
    return text.split()


def _truth(text: str) -> bool:
    try:
        return _TRUTH[text.strip().lower()]
    except KeyError:
        raise ValueError(f"must be true or false, not {text[:_SHOWN]!r}") from None


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004 - of a text, like the others
    return value


def _name(text: str) -> str:
    return text.strip()


_FROM_TEXT: Final[Mapping[str, Callable[[str], Any]]] = {
    "image_urls": _urls,
    "google_search": _truth,
    "extra": _object,
    **dict.fromkeys(
        (
            "mode",
            "aspect_ratio",
            "resolution",
            "output_format",
            "provider",
            "model",
            "callback_url",
            "key",
        ),
        _name,
    ),
}
_READERS: Final[Mapping[Format, Callable[[Iterator[str], str], Iterator[Row]]]] = {
    "txt": _text,
    "csv": _csv,
    "jsonl": _json_lines,
}
