"""Where pictures go: a small protocol, and the folder on this machine.

The promise of every storage: a name is visible only whole.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, Protocol, TypeVar
from uuid import uuid4

import anyio
from attrs import define, field, frozen

__all__ = ["LocalFile", "LocalFolder", "Sink", "Storage"]

_MIB: Final = 1 << 20
_LOOK_AGAIN: Final = 8 * _MIB
"""Bytes between two looks at how much room is left."""
_KEPT_OF_NAME: Final = 40
_NO_SUCH_THING: Final = (errno.EINVAL, errno.ENOTSUP)
"""What some file systems answer to the wish that a folder be written out."""

T = TypeVar("T")


class Sink(Protocol):
    """Takes one picture. It ends with `commit`, or with `abort` where anything fails before.

    Whoever implements it owes that the name shows the whole picture or none of it. What the storage
    cannot do is raised as OSError by `write` and `commit`, and never by `abort`.
    """

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes. Cancelled, nothing may go on behind its back: `abort` follows.

        Raises:
            OSError: the storage cannot take them.
        """
        ...

    async def commit(self) -> None:
        """Make the picture visible under its name, in place of one that was there, and durable.

        Cancelled, it is visible whole or not at all when this raises; `abort` follows.

        Raises:
            OSError: it cannot be made so.
        """
        ...

    async def abort(self) -> None:
        """Leave nothing broken behind, also after a `commit` that failed or was cancelled.

        Called where the task is being cancelled, too: what it awaits may be cancelled again. Does no
        harm after a `commit`: a picture that is in its place stays.
        """
        ...


class Storage(Protocol):
    """A place for pictures by name; any number of them at once.

    Whoever implements it owes `begin`, and what `Sink` says. `NanoBananaClient.fetch` calls it in its
    event loop, so what blocks belongs into a thread.
    """

    async def begin(self, name: str) -> Sink:
        """Begin a picture that will be called `name`, such as ``images/17.png``.

        Cancelled, it leaves nothing behind.

        Raises:
            ValueError: no picture can be called so here.
            OSError: the storage cannot take one.
        """
        ...


@frozen
class LocalFolder:
    """A folder, which is made when it is needed. Names are paths in it, and never lead out of it.

    A picture is written to a `.part` file beside its place and renamed once it is on the disk. Only
    a process that is killed leaves such a file.
    """

    root: Path = field(converter=Path)
    """Its path."""
    spare: int = field(default=256 * _MIB, kw_only=True)
    """Bytes of the disk that are left to others: OSError (ENOSPC) where fewer would be free.

    Looked at before each file and every 8 MiB of it; 0 never looks."""

    async def begin(self, name: str) -> Sink:
        """Begin a file. Cancelled, none is left behind.

        Raises:
            ValueError: the name would lead out of the folder, or is none.
            OSError: the file cannot be made, or the disk is too full.
        """
        _check_name(name)
        return await _opened(lambda: self._place_of(name), self.spare)

    def _place_of(self, name: str) -> Path:
        # Links are followed before anything is made: a folder in here may lead elsewhere.
        place = self.root / name
        if not place.parent.resolve().is_relative_to(self.root.resolve()):
            raise ValueError(f"A link leads {name!r} out of {self.root}")
        return place


@frozen(eq=False, repr=False)
class LocalFile:
    """One path that the caller chose: wherever it is, and however little room is left there."""

    path: Path

    async def begin(self, name: str) -> Sink:  # noqa: ARG002 - there is but one
        """Begin the file."""
        return await _opened(lambda: self.path, 0)


@define(eq=False, repr=False)
class _Part:
    """A file that is not whole yet."""

    place: Path
    part: Path
    spare: int
    fd: int = -1
    size: int = 0
    look_at: int = 0

    def open(self) -> None:
        _make(self.part.parent)
        self._look()
        # Never an existing one: it has a name of its own, and a link is not followed.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self.fd = os.open(self.part, flags, 0o666)

    async def write(self, chunk: bytes) -> None:
        await _in_thread(self._write, chunk)

    async def commit(self) -> None:
        await _in_thread(self._put_in_place)

    async def abort(self) -> None:
        # Not in a thread: it must also happen where this task is being cancelled.
        self.discard()

    def discard(self) -> None:
        # Whatever a broken disk says now, what broke first is what the caller should hear.
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self.part.unlink(missing_ok=True)

    def _write(self, chunk: bytes) -> None:
        if self.size >= self.look_at:
            self._look()
        self.size += len(chunk)
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self.fd, rest) :]

    def _put_in_place(self) -> None:
        os.fsync(self.fd)
        self._close()
        self.part.replace(self.place)
        _sync_folder(self.place.parent)

    def _close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def _look(self) -> None:
        self.look_at = self.size + _LOOK_AGAIN
        if self.spare and shutil.disk_usage(self.part.parent).free < self.spare:
            left = f"Less than {self.spare // _MIB} MiB are left on the disk"
            raise OSError(errno.ENOSPC, left, str(self.place))


async def _opened(place_of: Callable[[], Path], spare: int) -> Sink:
    opened: list[_Part] = []

    def begin() -> _Part:
        place = place_of()
        # A name of its own: two downloads to one path must not write into one file. Cut, so that
        # it is not too long where the picture's own name is just short enough.
        part = place.with_name(f"{place.name[:_KEPT_OF_NAME]}.{uuid4().hex[:16]}.part")
        opened.append(_Part(place, part, spare))
        opened[0].open()
        return opened[0]

    try:
        return await _in_thread(begin)
    except BaseException:
        for part in opened:
            part.discard()
        raise


async def _in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run blocking `work` in a thread. A cancellation waits for it: it must not go on alone."""
    running = asyncio.ensure_future(anyio.to_thread.run_sync(work, *args))
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:  # a scope of anyio's cancels again and again
            cancelled = error
    if cancelled is not None:
        running.exception()  # nobody else will ask
        raise cancelled
    return running.result()


def _check_name(name: str) -> None:
    """Refuse what is no path below a folder, on this system or on another."""
    windows, posix = PureWindowsPath(name), PurePosixPath(name)
    outside = windows.drive or windows.root or ".." in windows.parts or posix.is_absolute()
    if outside or not posix.name or name.endswith(("/", "\\")) or "\0" in name:
        raise ValueError(f"Not the name of a file below a folder: {name!r}")


def _make(folder: Path) -> None:
    """Make a folder and those above it, durably."""
    missing = takewhile(lambda each: not each.is_dir(), (folder, *folder.parents))
    for each in reversed(list(missing)):
        each.mkdir(exist_ok=True)
        _sync_folder(each.parent)


def _sync_folder(folder: Path) -> None:
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows has no such thing; elsewhere it may be written to and not read
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_SUCH_THING:
            raise
    finally:
        os.close(fd)
