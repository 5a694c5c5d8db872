"""File names from keys: whatever a key holds, its file is in the folder and is its alone.

Most file systems of laptops ignore case, some normalise letters, and Windows has names of its own.
So a key is taken as it is only where it is plain: lower-case letters, digits, hyphens, underscores.
Any other is changed, and told from the rest by its checksum. What stands after the first point is
never part of a key: pictures of one key are 17.png, 17.2.png and so on.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

__all__ = ["file_stem", "picture_name"]

_PLAIN: Final = re.compile(r"[a-z0-9_-]{1,100}")
_LIKE_CHANGED: Final = re.compile(r".*-[0-9a-f]{16}")
_OTHERS: Final = re.compile(r"[^A-Za-z0-9_-]+")
_OF_WINDOWS: Final = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
_KEPT: Final = 60


def file_stem(key: str) -> str:
    """Return the name for a key, without an ending. No two keys have the same."""
    plain = _PLAIN.fullmatch(key) and not key.startswith("-")
    if plain and not (_LIKE_CHANGED.fullmatch(key) or _OF_WINDOWS.fullmatch(key)):
        return key
    words = _OTHERS.sub("_", key)[:_KEPT].strip("_-").lower()
    return f"{words or 'key'}-{sha256(key.encode()).hexdigest()[:16]}"


def picture_name(key: str, number: int, ending: str) -> str:
    """Return the path of a key's picture below the folder; `number` is from 1."""
    which = "" if number == 1 else f".{number}"
    return f"images/{file_stem(key)}{which}.{ending}"
