"""Reads JSON that may have been cut off, edited or written by another version.

A report is looked at when something went wrong: what cannot be read is left out, and never ends it.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

Object = dict[str, Any]


def parsed(line: bytes) -> Object | None:
    """Return the JSON object; None for anything else."""
    try:
        # Decoded here: `loads` would try to guess the encoding of each line.
        value = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def objects(path: Path) -> Iterator[Object]:
    """Yield the objects of a file with one on each line; none where the file is missing."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            if (found := parsed(line)) is not None:
                yield found


def text(value: object) -> str | None:
    """Return a text that is not empty; a number is written out, as a key may be one."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def texts(value: object) -> list[str]:
    """Return the texts of a list."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def number(value: object) -> float | None:
    """Return a finite number: NaN and infinity are no JSON, and would end the page's script."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if isfinite(value) else None
    except OverflowError:
        return None


def child(value: object) -> Object:
    """Return the object, or an empty one."""
    return value if isinstance(value, dict) else {}


def children(value: object) -> list[Object]:
    """Return the objects of a list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def seconds(moment: str | None) -> float | None:
    """Return an ISO time as seconds since 1970; one without a zone is UTC."""
    try:
        time = datetime.fromisoformat(moment or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
