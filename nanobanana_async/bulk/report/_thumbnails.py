"""Small copies of the pictures, named by the picture's checksum, so that each is made once."""

import os
import re
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Final

from attrs import Factory, define

from nanobanana_async.bulk.report._row import Picture

FOLDER: Final = "thumbnails"

# Pillow works without the interpreter's lock. A picture of 4,096 pixels square takes 50 MB.
WORKERS: Final = min(4, os.cpu_count() or 1)

_CHECKSUM: Final = re.compile(r"[0-9a-f]{64}")


@define
class Thumbnails:
    """Makes what is missing in threads; `there` holds the names of what can be shown."""

    root: Path
    _workers: ThreadPoolExecutor
    there: set[str] = Factory(set)
    _asked: dict[str, Future[bool]] = Factory(dict)

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self.root / FOLDER

    def look(self) -> None:
        """Find what earlier reports made."""
        self.folder.mkdir(exist_ok=True)
        with os.scandir(self.folder) as entries:
            self.there.update(entry.name for entry in entries if entry.name.endswith(".jpg"))

    def ask(self, file: str, picture: Picture) -> str:
        """Start to make one unless it is there; return the name that it has or will have."""
        name = f"{_checksum(self.root, file, picture)}.jpg"
        if name not in self.there and name not in self._asked:
            work = self._workers.submit(_make, self.root / file, self.folder / name)
            self._asked[name] = work
        return name

    def ready(self, name: str) -> bool:
        """Wait for one that was asked for; False where the picture can not be read."""
        if (asked := self._asked.get(name)) is not None and asked.result():
            self.there.add(name)
            del self._asked[name]
        return name in self.there


def _checksum(root: Path, file: str, picture: Picture) -> str:
    """Return the manifest's checksum. It names a file: anything else than 64 digits is no name."""
    given = (picture.sha256 or "").lower()
    if _CHECKSUM.fullmatch(given):
        return given
    return sha256((root / file).read_bytes()).hexdigest()


def _make(source: Path, target: Path) -> bool:
    """Write the small copy, whole or not at all; False where the picture can not be read."""
    from nanobanana_async.bulk.report._shrink import shrunk  # noqa: PLC0415 - Pillow is an extra

    data = shrunk(source)
    if data is None:
        return False
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return True
