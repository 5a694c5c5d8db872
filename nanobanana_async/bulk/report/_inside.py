"""Which files a page may point at: plain ones that lie inside the folder of the run."""

import os
from pathlib import Path
from posixpath import split
from urllib.parse import quote

from attrs import Factory, define


@define
class Inside:
    """The files of a folder. Each of its folders is listed once: one call for 10,000 pictures."""

    root: Path
    _listings: dict[str, frozenset[str]] = Factory(dict)

    def holds(self, file: str) -> bool:
        """Tell whether the path leads to a plain file without leaving the folder."""
        if file.startswith("/") or "\\" in file or ".." in file.split("/"):
            return False
        folder, name = split(file)
        if folder not in self._listings:
            self._listings[folder] = self._list(folder)
        return name in self._listings[folder]

    def _list(self, folder: str) -> frozenset[str]:
        """Name the plain files; a link is none, it may lead anywhere."""
        try:
            place = (self.root / folder).resolve()
            if not place.is_relative_to(self.root.resolve()):
                return frozenset()
            with os.scandir(place) as entries:
                return frozenset(
                    entry.name for entry in entries if entry.is_file(follow_symlinks=False)
                )
        except (OSError, ValueError):
            return frozenset()


def address(file: str) -> str:
    """Return the relative URL of a file that is inside. It can not be taken for a scheme."""
    return "./" + quote(os.fsencode(file))
