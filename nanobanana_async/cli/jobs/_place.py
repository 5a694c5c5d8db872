"""Where pictures go: one file, or a folder in which nothing is overwritten."""

from __future__ import annotations

import os
import re
from itertools import count
from pathlib import Path
from typing import Final

import click
from attrs import define, field

from nanobanana_async import ImageResult
from nanobanana_async.cli._folder import make_folder

_ENDINGS: Final = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
_NAME: Final = re.compile(r"[^\w-]+")
_LONGEST: Final = 60


def place_of(text: str) -> Place:
    """Return the place that was typed.

    Raises:
        click.UsageError: it is none, or looks like a file that no picture can be.
    """
    path = Path(text)
    if not text:  # a variable of the shell that is not set
        raise click.UsageError("-o: an empty text is neither a file nor a folder")
    as_file = path.suffix and not (text.endswith(("/", os.sep)) or path.is_dir())
    if as_file and path.suffix.lower() not in _ENDINGS:
        raise click.UsageError(
            f"-o {text}: a picture ends in .png, .jpg or .jpeg; a folder called so ends in /"
        )
    return Place(path)


@define
class Place:
    """A path ending in .png, .jpg or .jpeg is a file; any other is a folder."""

    path: Path
    _taken: set[Path] = field(factory=set, init=False)

    @property
    def is_file(self) -> bool:
        """True where it names one picture."""
        return self.path.suffix.lower() in _ENDINGS and not self.path.is_dir()

    @property
    def output_format(self) -> str | None:
        """The format that the name asks for."""
        return _ENDINGS[self.path.suffix.lower()] if self.is_file else None

    def prepare(self, pictures: int) -> None:
        """Make the folder, and find out now whether it can be written to.

        Raises:
            click.UsageError: it cannot, or several pictures should go into one file.
        """
        if self.is_file and pictures > 1:
            raise click.UsageError(
                f"{pictures:,} pictures need a folder, such as -o {self.path.stem}/"
            )
        make_folder(self.path.parent if self.is_file else self.path)

    def take(self, name: str, result: ImageResult) -> Path:
        """Return the path of the first picture; of one in a folder, a name that is still free.

        Args:
            name: what the picture is called in a folder, such as its prompt.
            result: the finished generation.
        """
        if self.is_file:
            return self.path
        ending = Path(result.urls[0].partition("?")[0]).suffix.lower()
        ending = ending if ending in _ENDINGS else ".png"
        stem = _NAME.sub("-", name)[:_LONGEST].strip("-").lower() or "picture"
        stem = stem if _can_be_named(stem) else result.task_id
        numbers = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        free = next(
            path for path in (self.path / f"{n}{ending}" for n in numbers) if self._free(path)
        )
        self._taken.add(free)
        return free

    def _free(self, path: Path) -> bool:
        return path not in self._taken and not os.path.lexists(path)


def _can_be_named(name: str) -> bool:
    """Tell whether file names here can hold it: where the locale is not UTF-8, not all can."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
