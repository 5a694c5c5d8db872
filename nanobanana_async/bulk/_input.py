"""Where a run's rows come from: a file as it is, or a copy of what cannot be read twice."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from stat import S_ISFIFO, S_ISREG
from typing import BinaryIO, Final, cast

from attrs import evolve, frozen

from nanobanana_async.bulk._errors import DiskError, InputError
from nanobanana_async.bulk._folder import Folder, sync_folder
from nanobanana_async.bulk._rows import FORMATS, Format

__all__ = ["Input", "find_input"]

_STDIN: Final = "-"
_ENDINGS: Final = ", ".join(f".{form}" for form in FORMATS)
_GZIP: Final = b"\x1f\x8b"
_AT_ONCE: Final = 1 << 20


@frozen
class Input:
    """A file that can be read again and again."""

    path: Path
    form: Format
    name: str
    """As the user called it."""
    home: Path | None = None
    """Where the copy at `path` is to stand once its rows are found to be in order."""
    state: tuple[int, int] = (0, 0)
    """Size and time of its last change when its rows were looked at first."""

    def seen(self) -> Input:
        """Return it with its state of now.

        Raises:
            InputError: it cannot be looked at.
        """
        with _readable(self.title):
            return evolve(self, state=self._state())

    def check_unchanged(self) -> None:
        """See that it is what it was when its rows were looked at first.

        Raises:
            InputError: it is not, or is gone.
        """
        try:
            unchanged = self._state() == self.state  # for each row: no context manager here
        except OSError as error:
            raise InputError(f"{self.title} cannot be read: {error.strerror}") from None
        if not unchanged:
            raise InputError(f"{self.title} was changed meanwhile")

    def _state(self) -> tuple[int, int]:
        found = os.stat(self.path)  # noqa: PTH116 - likewise: it is faster than Path's
        return found.st_size, found.st_mtime_ns

    @property
    def title(self) -> str:
        """The name for a sentence."""
        return "standard input" if self.name == _STDIN else self.name

    def checksum(self) -> str:
        """Return what tells this content from any other."""
        with _readable(self.title), self.path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def keep(self) -> Input:
        """Put a copy where the next run looks for it.

        Raises:
            DiskError: it cannot be put there.
        """
        if self.home is None:
            return self
        try:
            self.path.replace(self.home)
        except OSError as error:
            raise DiskError(f"{self.home} cannot be written: {error.strerror}") from None
        sync_folder(self.home.parent)
        return evolve(self, path=self.home, home=None)

    def discard(self) -> None:
        """Remove a copy that is not kept: the rows are at fault, or others than before."""
        if self.home is not None:
            self.path.unlink(missing_ok=True)


def find_input(
    source: str | Path,
    form: Format | None,
    folder: Folder,
    *,
    scratch: Path | None = None,
    stdin: BinaryIO | None = None,
) -> Input:
    """Return the rows' file. Pipes and packed files are first copied, so that they can be resumed.

    A pipe with nothing in it, or a terminal, stands for the copy that an earlier run has kept.

    Args:
        source: a file, or ``-`` for standard input.
        form: what it holds; by its ending when None, and text for standard input.
        folder: the run's.
        scratch: where copies are made; in the folder when None.
        stdin: the process's own when None.

    Raises:
        InputError: there is no such file, or nothing says what it holds.
        DiskError: the copy cannot be written.
    """
    name = str(source)
    scratch = scratch or folder.path
    if name == _STDIN:
        kind: Format = form or "txt"
        home = folder.input_copy.with_suffix(f".{kind}")
        return _standard_input(Input(scratch / f"{home.name}.part", kind, name, home), stdin)
    path = Path(source)
    if os.path.isdir(path):  # noqa: PTH112 - it does not raise
        raise InputError(f"{path} is a folder; give a file of {_ENDINGS}, or of one with .gz")
    with _readable(name), path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not (S_ISREG(mode) or S_ISFIFO(mode)):
            raise InputError(f"{name} is a device; give a file, or - for standard input")
        kind = _form_of(path, form)
        home = folder.input_copy.with_suffix(f".{kind}")
        copy = Input(scratch / f"{home.name}.part", kind, name, home)
        if S_ISFIFO(mode):
            return _of_stream(file, copy)
        if file.read(len(_GZIP)) != _GZIP:
            return Input(path, kind, name)
    return _unpacked(path, copy)


def _form_of(path: Path, form: Format | None) -> Format:
    if form is not None:
        return form
    plain = Path(path.stem) if path.suffix.lower() == ".gz" else path
    ending = plain.suffix.lower().removeprefix(".")
    for known in FORMATS:
        if ending == known:
            return known
    raise InputError(
        f"{path} does not end in {_ENDINGS}",
        advice="Say with --format what it holds. Nothing was sent",
    )


def _standard_input(copy: Input, stdin: BinaryIO | None) -> Input:
    kept = copy.home if copy.home is not None and copy.home.exists() else None
    if stdin is None and sys.stdin is not None:
        stdin = sys.stdin.buffer
    if stdin is None or (kept and stdin.isatty()):  # None: it was closed by whoever started us
        if kept:
            return Input(kept, copy.form, copy.name)
        raise InputError("Standard input is closed; there is nothing to read")
    return _of_stream(stdin, copy)


def _of_stream(stream: BinaryIO, copy: Input) -> Input:
    _copied(stream, copy)
    with copy.path.open("rb") as file:
        begins = file.read(len(_GZIP))
    if begins == _GZIP:
        packed = copy.path.rename(copy.path.with_suffix(".gz.part"))
        try:
            return _unpacked(packed, copy)
        finally:
            packed.unlink(missing_ok=True)
    if not begins and copy.home is not None and copy.home.exists():
        copy.discard()
        return Input(copy.home, copy.form, copy.name)
    return copy


def _unpacked(path: Path, copy: Input) -> Input:
    with _readable(copy.title), gzip.open(path) as unpacked:
        return _copied(cast("BinaryIO", unpacked), copy)


def _copied(source: BinaryIO, copy: Input) -> Input:
    try:
        with _written(copy.path), copy.path.open("wb") as file:
            for block in _blocks(source, copy.title):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        copy.discard()
        raise
    return copy


def _blocks(source: BinaryIO, title: str) -> Iterator[bytes]:
    with _readable(title):
        while block := source.read(_AT_ONCE):
            yield block


@contextmanager
def _readable(title: str) -> Iterator[None]:
    """Turn what happens to whoever reads into a line that says so."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{title} does not exist") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError(f"{title} is no whole gzip file") from None
    except OSError as error:
        raise InputError(f"{title} cannot be read: {error.strerror or error}") from None


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskError(f"{path} cannot be written: {error.strerror or error}") from None
