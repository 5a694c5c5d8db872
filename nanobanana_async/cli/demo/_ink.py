"""What the demo's picture is drawn with: colours where there are any, else other signs."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from attrs import frozen
from rich.segment import Segment
from rich.style import Style

from nanobanana_async.cli.demo._slots import Stage

Line = list[Segment]

PLAIN: Final = Style()
DIM: Final = Style(dim=True)
BOLD: Final = Style(bold=True)
GOOD: Final = Style(color="green")
BAD: Final = Style(color="red", bold=True)
BUSY: Final = Style(color="blue")
LEFT: Final = Style(color="bright_black")
RATE: Final = Style(color="cyan")

# Of the sixteen that each terminal has, in the shades that its user likes; on any ground.
_COLOURS: Final = {
    Stage.FREE: DIM,
    Stage.SUBMITTED: Style(color="blue"),
    Stage.LOOKED_AT: Style(color="cyan"),
    Stage.READY: Style(color="yellow"),
    Stage.FOUND: Style(color="bright_green"),
}


@frozen
class Ink:
    """One way to draw."""

    coloured: bool
    done: str
    busy: str
    left: str
    levels: Sequence[str]
    """A bar's top in a line of text, from nothing to all of it."""
    ceiling: str
    """The limit's line."""
    stages: Sequence[str]
    """A sign for each `Stage`."""

    def slots(self, upper: int, lower: int) -> Segment:
        """Draw two slots in one place; without colours, the one that is further."""
        if self.coloured and (upper or lower):
            return _two_halves(upper, lower)
        return self.stage(Stage(max(upper, lower)))

    def stage(self, stage: Stage) -> Segment:
        """Draw the sign of a stage."""
        style = _COLOURS[stage] if self.coloured else PLAIN
        return Segment(self.stages[stage], style)


@cache
def _two_halves(upper: int, lower: int) -> Segment:
    """Draw two slots that are not both free: what is free is left empty."""
    over, under = _COLOURS[Stage(upper)], _COLOURS[Stage(lower)]
    if not lower:
        return Segment("▀", over)
    if not upper:
        return Segment("▄", under)
    return Segment("▀", over + Style(bgcolor=under.color))


_LEVELS: Final = " ▁▂▃▄▅▆▇█"
_COLOURED: Final = Ink(True, "━", "━", "━", _LEVELS, "▁", "·████")
_UNCOLOURED: Final = Ink(False, "█", "▒", "░", _LEVELS, "▁", "·░▒▓█")
_ASCII: Final = Ink(False, "#", "=", "-", " ...::::#", "_", ".-+%#")


def ink_for(*, coloured: bool, ascii_only: bool) -> Ink:
    """Return what a terminal can show."""
    if ascii_only:
        return _ASCII
    return _COLOURED if coloured else _UNCOLOURED
