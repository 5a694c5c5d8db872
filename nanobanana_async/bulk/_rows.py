"""A file of requests, row by row: a prompt a line, CSV, or JSON lines. Read as a stream."""

from __future__ import annotations

import csv
import json
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


@frozen
class Row:
    """One row that has something in it."""

    line: int
    """Where it begins in the file, from 1."""
    key: str
    """Its own, or its number: the line's in text and JSON lines, the record's in CSV."""
    fields: Mapping[str, Any]
    """What it gives of `ImageRequest`'s fields, without `key`."""
    faults: tuple[tuple[str, str], ...] = ()
    """Field and reason of what cannot even be read; the rules of the API come later."""


def read_rows(path: Path, form: Format) -> Iterator[Row]:
    """Yield the rows of a file; empty lines are none.

    Raises:
        InputError: it is no text, or not of this form.
    """
    with _opened(path) as file:
        try:
            yield from _READERS[form](file, path)
        except UnicodeDecodeError:
            raise InputError(f"{path} is not text in UTF-8") from None
        except csv.Error as error:
            raise InputError(f"{path} is no CSV file: {error}") from None


def _opened(path: Path) -> TextIO:
    try:
        # A BOM, as spreadsheets write it, is none of the text. newline="": CSV may have some inside.
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _lines(file: TextIO, path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(_without_nul(file, path), 1):
        if text := line.strip():
            yield number, text


def _text(file: TextIO, path: Path) -> Iterator[Row]:
    for number, line in _lines(file, path):
        yield Row(number, str(number), {"prompt": line})


def _json_lines(file: TextIO, path: Path) -> Iterator[Row]:
    for number, line in _lines(file, path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield Row(number, str(number), {}, (("line", "is no JSON object"),))
            continue
        if not isinstance(value, dict):
            yield Row(number, str(number), {}, (("line", "is no JSON object"),))
            continue
        given = {name: field for name, field in value.items() if field is not None}
        unknown = tuple(
            (name, f"is none of {', '.join(COLUMNS)}") for name in given.keys() - _KNOWN
        )
        key, faults = _key(given.pop("key", None), number)
        known = {name: field for name, field in given.items() if name in _KNOWN}
        yield Row(number, key, known, (*faults, *unknown))


def _csv(file: TextIO, path: Path) -> Iterator[Row]:
    source = _without_nul(file, path)
    names, delimiter = _header(next(source, ""), path)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    number, line = 0, 2
    for values in reader:
        began, line = line, reader.line_num + 2
        if not any(value.strip() for value in values):
            continue
        number += 1
        yield _csv_row(began, number, names, values)


def _without_nul(file: TextIO, path: Path) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if "\0" in line:
            raise InputError(f"{path} is not text: line {number} holds a NUL byte")
        yield line


def _header(line: str, path: Path) -> tuple[list[str], str]:
    """Return the columns, and what stands between them: spreadsheets have their own ideas."""
    for delimiter in (",", ";", "\t"):
        names = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
        if "prompt" in names:
            break
    else:
        raise InputError(
            f"{path} has no column named prompt in its first line",
            advice=f"The columns are {', '.join(COLUMNS)}. Nothing was sent",
        )
    unknown = [name for name in names if name not in _KNOWN]
    if unknown:
        raise InputError(
            f"{path} has a column that is not known: {unknown[0][:_SHOWN]!r}",
            advice=f"The columns are {', '.join(COLUMNS)}. Nothing was sent",
        )
    if len(set(names)) < len(names):
        raise InputError(f"{path} has a column twice")
    return names, delimiter


def _csv_row(line: int, number: int, names: list[str], values: list[str]) -> Row:
    if len(values) > len(names):
        fault = f"has {len(values)} values for {len(names)} columns; quote those with the delimiter"
        return Row(line, str(number), {}, (("line", fault),))
    given, faults = dict[str, Any](), list[tuple[str, str]]()
    for name, value in zip(names, values, strict=False):
        if value.strip() == "":
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
    if isinstance(value, str) and value.strip():
        return value.strip(), ()
    return str(number), (("key", "must be a text or a whole number"),)


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
_READERS: Final[Mapping[Format, Callable[[TextIO, Path], Iterator[Row]]]] = {
    "txt": _text,
    "csv": _csv,
    "jsonl": _json_lines,
}
