"""The folder of a run: who owns it, and what stands where in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from attrs import define, field, frozen
from filelock import FileLock, Timeout

from nanobanana_async.bulk._errors import FolderError, FolderInUseError

__all__ = ["Folder", "RunFile", "replace_file", "sync_folder"]

_VERSION: Final = 1


@frozen
class Folder:
    """Names of what a run keeps."""

    path: Path = field(converter=Path)

    @property
    def results(self) -> Path:
        """The manifest: one line a row."""
        return self.path / "results.jsonl"

    @property
    def rejected(self) -> Path:
        return self.path / "rejected.jsonl"

    @property
    def journal(self) -> Path:
        return self.path / "journal.db"

    @property
    def service_times(self) -> Path:
        return self.path / "service_times.json"

    @property
    def run_file(self) -> Path:
        return self.path / "run.json"

    @property
    def input_copy(self) -> Path:
        """Where standard input and unpacked files are kept, without an ending."""
        return self.path / "input"

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Make the folder, and have it alone; a process that dies gives it back.

        Raises:
            FolderInUseError: another run has it.
            FolderError: it cannot be made or written to.
        """
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.path):
                pass
            lock.acquire()
        except Timeout:
            raise FolderInUseError(f"{self.path} is in use by another run") from None
        except OSError as error:
            raise FolderError(f"{self.path} cannot be written to: {error.strerror}") from None
        try:
            yield
        finally:
            lock.release()

    def set_journal_aside(self) -> Path | None:
        """Keep a journal that cannot be used under another name, its log and mark with it."""
        number = 1
        while (kept := self.path / f"journal-damaged-{number}.db").exists():
            number += 1
        moved = None
        for part in ("-wal", "-mark", ""):  # a log beside a new file would be read into it
            with suppress(FileNotFoundError):
                Path(f"{self.journal}{part}").rename(f"{kept}{part}")
                moved = kept
        return moved


@define
class RunFile:
    """`run.json`: what the folder is about, and how far the input has been read.

    `reached` is written before rows are handed to the client, in blocks. So a row beyond it was
    certainly never sent, even where the journal is lost.
    """

    path: Path
    input: str = ""
    fingerprint: str = ""
    rows: int = 0
    reached: int = 0
    unprovable: int = 0
    """Up to this line of the input the journal, begun anew, does not tell what was sent."""
    requests_per_minute: int = 0
    concurrent_tasks: int = 0
    classes: list[tuple[str, str | None, int]] = field(factory=list)
    """Valid rows by model and resolution."""

    @classmethod
    def read(cls, path: Path) -> RunFile | None:
        """Read it; None where there is none yet.

        Raises:
            FolderError: it is none of ours, or of another version.
        """
        try:
            data = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise FolderError(f"{path} cannot be read: {error}", advice=_ANOTHER) from None
        if not isinstance(data, dict) or data.get("version") != _VERSION:
            raise FolderError(f"{path} is not of this version", advice=_ANOTHER)
        try:
            return cls(path, **{name: data[name] for name in _KEPT})
        except KeyError as error:
            raise FolderError(f"{path} lacks {error}", advice=_ANOTHER) from None

    def write(self) -> None:
        """Replace it, durably."""
        data = {"version": _VERSION} | {name: getattr(self, name) for name in _KEPT}
        replace_file(self.path, json.dumps(data, indent=1).encode())


_KEPT: Final = (
    "input",
    "fingerprint",
    "rows",
    "reached",
    "unprovable",
    "requests_per_minute",
    "concurrent_tasks",
    "classes",
)
_ANOTHER: Final = "Use another folder, or delete this one if nothing in it is of use"


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that a power cut leaves the old one or the new one."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
