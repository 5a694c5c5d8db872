"""Where a run's rows come from: a file as it is, or a copy of what cannot be read twice."""

from __future__ import annotations

import filecmp
import gzip
import json
import os
import shutil
import sys
import zlib
from collections.abc import Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from attrs import frozen

from nanobanana_async.bulk._errors import FolderError, InputChangedError, InputError
from nanobanana_async.bulk._folder import Folder
from nanobanana_async.bulk._rows import FORMATS, Format

__all__ = ["Input", "find_input"]

_STDIN: Final = "-"
_ENDINGS: Final = ", ".join(f".{form}" for form in FORMATS)
_GZIP: Final = b"\x1f\x8b"


@frozen
class Input:
    """A file that can be read again and again."""

    path: Path
    form: Format
    name: str
    """As the user called it."""

    def fingerprint(self, defaults: Mapping[str, Any]) -> str:
        """Return what tells these rows from all others, the defaults that they get included."""
        try:
            with self.path.open("rb") as file:
                content = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}") from None
        told = json.dumps([content, self.form, dict(defaults)], sort_keys=True, default=str)
        return sha256(told.encode()).hexdigest()


def find_input(
    source: str | Path,
    form: Format | None,
    folder: Folder,
    *,
    accept_changed: bool = False,
    stdin: BinaryIO | None = None,
) -> Input:
    """Return the rows' file. Standard input and packed files are first copied into the folder.

    Raises:
        InputError: there is no such file, or nothing says what it holds.
        InputChangedError: the folder has a copy of something else.
        FolderError: the copy cannot be written.
    """
    name = str(source)
    if name == _STDIN:
        path = _standard_input(form or "txt", folder, accept_changed, stdin or sys.stdin.buffer)
        return Input(path, form or "txt", name)
    path = Path(source)
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a file of {_ENDINGS}, or of one with .gz")
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
            kind = _form_of(Path(path.stem) if path.suffix.lower() == ".gz" else path, form)
            if packed:
                file.seek(0)
                path = _unpacked(file, name, folder, kind, accept_changed)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return Input(path, kind, name)


def _form_of(path: Path, form: Format | None) -> Format:
    if form is not None:
        return form
    ending = path.suffix.lower().removeprefix(".")
    for known in FORMATS:
        if ending == known:
            return known
    raise InputError(
        f"{path.name} does not end in {_ENDINGS}", advice="Say with --format what it holds"
    )


def _standard_input(kind: Format, folder: Folder, accept_changed: bool, stdin: BinaryIO) -> Path:
    """Copy it; one that is empty, or a terminal, stands for the copy that is there."""
    there = folder.input_copy.with_suffix(f".{kind}")
    if there.exists() and stdin.isatty():
        return there
    part = _copied(stdin, there)
    if there.exists() and part.stat().st_size == 0:
        part.unlink()
        return there
    return _put_in_place(part, there, accept_changed)


def _unpacked(
    file: BinaryIO, name: str, folder: Folder, kind: Format, accept_changed: bool
) -> Path:
    there = folder.input_copy.with_suffix(f".{kind}")
    try:
        with gzip.open(file) as unpacked:
            part = _copied(cast("BinaryIO", unpacked), there)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError(f"{name} is no whole gzip file") from None
    return _put_in_place(part, there, accept_changed)


def _copied(source: BinaryIO, there: Path) -> Path:
    part = there.with_name(f"{there.name}.part")
    try:
        with part.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
    except gzip.BadGzipFile:
        raise
    except OSError as error:
        raise FolderError(f"{part} cannot be written: {error.strerror}") from None
    return part


def _put_in_place(part: Path, there: Path, accept_changed: bool) -> Path:
    if there.exists() and not accept_changed and not filecmp.cmp(part, there, shallow=False):
        part.unlink()
        raise InputChangedError(f"The input is not the one that {there} is a copy of")
    part.replace(there)
    return there
