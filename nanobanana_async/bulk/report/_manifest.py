"""results.jsonl, of which the last line of each key counts.

It is read twice: first for where each key's last line stands, then line by line in the order of the
rows. So the memory it takes does not depend on how long the prompts are.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import Factory, define

from nanobanana_async.bulk.report._tolerant import Object, number, parsed, text

_NAME: Final = "results.jsonl"


@define
class Manifest:
    """Where the lines that count stand, and how many lines could not be read."""

    path: Path
    damaged: int = 0
    _places: dict[str, tuple[float, int]] = Factory(dict)

    def __len__(self) -> int:
        return len(self._places)

    def lines(self) -> Iterator[Object]:
        """Yield what became of each row, in the order of the rows."""
        with self.path.open("rb") as file:
            for _, place in sorted(self._places.values()):
                file.seek(place)
                if (line := parsed(file.readline())) is not None:
                    yield line

    def add(self, line: bytes, place: int) -> None:
        """Take note of a line. One that the end of the file cuts off is as if it were not there."""
        found = parsed(line)
        key = text(found.get("key")) if found else None
        if found is not None and key is not None:
            row = number(found.get("row"))
            self._places[key] = (float("inf") if row is None else row, place)
        elif line.endswith(b"\n") and line.strip():
            self.damaged += 1


def read_manifest(folder: Path) -> Manifest:
    """Find the lines that count."""
    manifest = Manifest(folder / _NAME)
    place = 0
    try:
        with manifest.path.open("rb") as file:
            for line in file:
                manifest.add(line, place)
                place += len(line)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"There is no {_NAME} in {folder}: no bulk run has written its results there."
        ) from None
    return manifest
