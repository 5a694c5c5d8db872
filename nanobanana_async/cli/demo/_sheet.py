"""One picture of all the pictures. Needs Pillow; import it late."""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil, sqrt
from pathlib import Path
from threading import Event
from typing import Final

from attrs import frozen
from PIL import Image

NAME: Final = "contact-sheet.png"

_AREA: Final = 2400 * 1600
"""Pixels of a whole sheet, about."""
_SIDES: Final = (32, 256)
"""Of a picture's place on it, in pixels: at least, at most."""
_WIDER: Final = 1.5
"""Width to height of a sheet."""
_FRAME: Final = 2
_GROUND: Final = (24, 24, 28)

# Pillow works without the interpreter's lock.
_WORKERS: Final = min(4, os.cpu_count() or 1)


@frozen
class _Grid:
    """Where the pictures go."""

    side: int
    across: int
    down: int

    @classmethod
    def of(cls, number: int) -> "_Grid":
        """Choose the places of that many pictures."""
        least, most = _SIDES
        side = min(max(int(sqrt(_AREA / number)), least), most)
        across = ceil(sqrt(number * _WIDER))
        return cls(side, across, ceil(number / across))

    def corner(self, index: int, size: tuple[int, int]) -> tuple[int, int]:
        """Return the upper left corner of a small picture in the middle of its place."""
        down, across = divmod(index, self.across)
        x, y = ((self.side - length) // 2 for length in size)
        return across * self.side + x, down * self.side + y


async def draw_sheet(files: Sequence[Path], target: Path) -> None:
    """Draw the sheet of `files` beside the event loop; cancelled, leave none or a whole one.

    Raises:
        OSError: it cannot be written.
    """
    over = Event()
    try:
        await asyncio.to_thread(make_sheet, files, target, over.is_set)
    finally:
        over.set()


def make_sheet(
    files: Sequence[Path], target: Path, over: Callable[[], bool] = lambda: False
) -> None:
    """Write the sheet of `files`, in this order, unless it is over before that.

    The place of one that cannot be read stays empty.
    """
    grid = _Grid.of(len(files))
    sheet = Image.new("RGB", (grid.across * grid.side, grid.down * grid.side), _GROUND)

    def small(file: Path) -> Image.Image | None:
        return None if over() else _small(file, grid.side - 2 * _FRAME)

    with ThreadPoolExecutor(_WORKERS) as workers:
        for index, image in enumerate(workers.map(small, files)):
            if image is not None:
                sheet.paste(image, grid.corner(index, image.size))
    if not over():
        _write(sheet, target)


def _small(file: Path, side: int) -> Image.Image | None:
    try:
        with Image.open(file) as image:
            image.thumbnail((side, side))
            return image.convert("RGB")
    except OSError:
        return None


def _write(sheet: Image.Image, target: Path) -> None:
    """Write it whole or not at all."""
    part = target.with_name(f"{target.name}.part")
    try:
        # The fastest compression: the others take a second to save a tenth.
        sheet.save(part, "PNG", compress_level=1)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
