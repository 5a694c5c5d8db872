"""What a picture is, learned while it passes by: format, size in pixels, checksum. Pure.

Only its head is looked at, and of that no more than a few bytes are held at any time: long
metadata before a JPEG's size is stepped over, not kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import Final, Literal, TypeAlias

from attrs import define, field, frozen

__all__ = ["LONGEST_MAGIC", "Format", "Inspector", "Picture"]

Format: TypeAlias = Literal["png", "jpeg"]

_Wanted: TypeAlias = tuple[int, int]
"""So many bytes to step over, and how many are wanted after them (at least 1)."""
_Reader: TypeAlias = Generator[_Wanted, bytes, tuple[int, int] | None]
"""Is sent what it wanted, and in the end returns width and height."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
LONGEST_MAGIC: Final = len(_PNG)
"""After so many bytes a format is known, or there is none."""

_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN, _END, _FILL = 0xDA, 0xD9, 0xFF
_LENGTH_ITSELF: Final = 2
_MOST_STEPS: Final = 10_000
"""A file of nothing but markers would keep the event loop busy; a picture has some dozens."""


@frozen
class Picture:
    """A picture that was fetched whole."""

    url: str
    """Where it was."""
    name: str
    """What it is called in the storage."""
    bytes: int
    """How long it is, in bytes."""
    sha256: str
    """Checksum of its bytes, in hexadecimal."""
    format: Format
    """``png`` or ``jpeg``, by its first bytes."""
    width: int | None
    """In pixels; None where its header does not tell."""
    height: int | None
    """In pixels; None where its header does not tell."""


@define(eq=False, repr=False)
class Inspector:
    """Is fed a body chunk by chunk. Whatever the bytes are, it does not raise."""

    size: int = field(default=0, init=False)
    format: Format | None = field(default=None, init=False)
    """None: not known yet, or neither of the two."""
    width: int | None = field(default=None, init=False)
    height: int | None = field(default=None, init=False)
    _magic: bytes = field(default=b"", init=False)
    _reader: _Reader | None = field(default=None, init=False)
    _skip: int = field(default=0, init=False)
    _take: int = field(default=0, init=False)
    _held: bytes = field(default=b"", init=False)
    _hash: hashlib._Hash = field(factory=hashlib.sha256, init=False)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        known = self.size
        self.size += len(chunk)
        self._hash.update(chunk)
        if known < LONGEST_MAGIC:
            self._magic += chunk[: LONGEST_MAGIC - known]
            if self.size < LONGEST_MAGIC:
                return
            self._begin()
            self._read(self._magic)
            chunk = chunk[LONGEST_MAGIC - known :]
        self._read(chunk)

    def sha256(self) -> str:
        """Return the checksum of what was fed so far."""
        return self._hash.hexdigest()

    def _begin(self) -> None:
        if self._magic.startswith(_PNG):
            self.format, self._reader = "png", _png()
        elif self._magic.startswith(_JPEG):
            self.format, self._reader = "jpeg", _jpeg()
        if self._reader is not None:
            self._skip, self._take = next(self._reader)

    def _read(self, chunk: bytes) -> None:
        at = 0
        while self._reader is not None and at < len(chunk):
            stepped = min(self._skip, len(chunk) - at)
            self._skip -= stepped
            at += stepped
            piece = chunk[at : at + self._take - len(self._held)]
            at += len(piece)
            self._held += piece
            if len(self._held) == self._take:
                self._hand_over(self._reader)

    def _hand_over(self, reader: _Reader) -> None:
        held, self._held = self._held, b""
        try:
            self._skip, self._take = reader.send(held)
        except StopIteration as end:
            self._reader = None
            if end.value is not None:
                # 0: a PNG must not, a JPEG says the height later. Either way it is not told here.
                self.width, self.height = (number or None for number in end.value)


def _png() -> _Reader:
    """The first chunk is IHDR; it begins with the size."""
    head = yield len(_PNG) + 4, 12
    return _sizes(head[4:8], head[8:12]) if head.startswith(b"IHDR") else None


def _jpeg() -> _Reader:
    """Go from segment to segment, to the one that begins a frame: it holds the size."""
    skip, marked = len(_JPEG), True  # the magic ends where the first segment's marker begins
    for _ in range(_MOST_STEPS):
        code = (yield skip, 1)[0]
        skip = 0
        if code == _FILL:  # one before each marker, or more
            marked = True
            continue
        if not marked or code in (0, _END, _SCAN):
            return None
        marked = False
        if code in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes((yield 0, _LENGTH_ITSELF))
        if code in _START_OF_FRAME:
            frame = yield 1, 4
            return _sizes(frame[2:], frame[:2])
        skip = max(0, length - _LENGTH_ITSELF)
    return None


def _sizes(width: bytes, height: bytes) -> tuple[int, int]:
    return int.from_bytes(width), int.from_bytes(height)
