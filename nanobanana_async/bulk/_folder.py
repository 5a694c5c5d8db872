"""The folder of a run: who owns it, and what stands where in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from attrs import define, field, frozen
from filelock import FileLock, Timeout

from nanobanana_async.bulk._errors import DiskError, FolderError, FolderInUseError

__all__ = ["Folder", "RunFile", "keep_file", "replace_file", "sync_folder"]

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

        Where no run began in it, nothing of it is left behind.

        Raises:
            FolderInUseError: another run has it.
            FolderError: it cannot be made or written to.
        """
        missing = [one for one in (self.path, *self.path.parents) if not _there(one)]
        mark = self.path / ".lock"
        marked, lock = _there(mark), FileLock(mark, timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.path):
                pass
            lock.acquire()
        except Timeout:
            raise FolderInUseError(f"{self.path} is in use by another run") from None
        except FileExistsError:
            raise FolderError(f"{self.path} is a file", advice="Give a folder") from None
        except OSError as error:
            _remove(missing)
            raise FolderError(
                f"{self.path} cannot be written to: {error.strerror}", advice="Use another folder"
            ) from None
        try:
            yield
        finally:
            if not (marked or _there(self.run_file)):
                with suppress(OSError):
                    mark.unlink()
                _remove(missing)
            lock.release()

    def check_new(self) -> None:
        """See that no run, and nobody else, has put into it what a new run would write over.

        Raises:
            FolderError: there is something.
        """
        pictures = self.path / "images"
        for path in (self.results, self.journal, self.path / "report.html", pictures):
            if _there(path) and (path != pictures or any(path.iterdir())):
                raise FolderError(
                    f"{path} is there, and no run.json tells which run it is of",
                    advice="Use another folder",
                )

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
    """As the user called it."""
    content: str = ""
    """Checksum of the input."""
    defaults: dict[str, Any] = field(factory=dict)
    """What rows get that do not say it themselves, and how the input is read."""
    rows: int = 0
    """Valid ones."""
    rejected: str = ""
    """Checksum of rejected.jsonl, which names the rows that are left out."""
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
        except OSError as error:
            raise FolderError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise FolderError(f"{path} is damaged", advice=_ANOTHER) from None
        if not isinstance(data, dict) or data.get("version") != _VERSION:
            raise FolderError(f"{path} is not of this version", advice=_ANOTHER)
        for name, fits in _KEPT.items():
            if not fits(data.get(name)):
                raise FolderError(f"{path} is damaged: {name} is amiss", advice=_ANOTHER)
        return cls(path, **{name: data[name] for name in _KEPT})

    def write(self) -> None:
        """Replace it, durably.

        Raises:
            DiskError: it cannot be written.
        """
        data = {"version": _VERSION} | {name: getattr(self, name) for name in _KEPT}
        keep_file(self.path, json.dumps(data, indent=1).encode())


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _are_classes(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, list)
        and len(one) == len(("model", "resolution", "count"))
        and isinstance(one[0], str)
        and isinstance(one[1], str | None)
        and _is_count(one[2])
        for one in value
    )


_KEPT: Final[Mapping[str, Callable[[object], bool]]] = {
    "input": lambda value: isinstance(value, str),
    "content": lambda value: isinstance(value, str),
    "defaults": lambda value: isinstance(value, dict),
    "rows": _is_count,
    "rejected": lambda value: isinstance(value, str),
    "reached": _is_count,
    "unprovable": _is_count,
    "requests_per_minute": _is_count,
    "concurrent_tasks": _is_count,
    "classes": _are_classes,
}
_ANOTHER: Final = "Use another folder, or delete this one if nothing in it is of use"


def keep_file(path: Path, content: bytes) -> None:
    """Write a file that a run cannot do without.

    Raises:
        DiskError: it cannot be written.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        raise DiskError(f"{path} cannot be written: {error.strerror}") from error


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


def _there(path: Path) -> bool:
    """Tell whether it exists; unlike Path's own, false where the system will not even look."""
    return os.path.exists(path)  # noqa: PTH110


def _remove(made: list[Path]) -> None:
    """Remove folders that are empty; the innermost comes first."""
    for folder in made:
        with suppress(OSError):  # the innermost may not have been made at all
            folder.rmdir()
