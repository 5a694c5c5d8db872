"""The demo's figures as a whole screen of any size. Needs rich; import it late."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from attrs import frozen
from rich.segment import Segment

from nanobanana_async.cli.demo import _parts as parts
from nanobanana_async.cli.demo._ink import Ink, Line
from nanobanana_async.cli.demo._progress import Snapshot

_MARGIN: Final = 2
_WIDEST: Final = 100
_NARROWEST: Final = 24


@frozen
class _Plan:
    """What there is room for."""

    gaps: bool
    rows: int
    """Lines of the throughput."""
    slots: bool = True
    figures: bool = True


# The first that fits is taken.
_PLANS: Final = (
    _Plan(gaps=True, rows=8),
    _Plan(gaps=True, rows=5),
    _Plan(gaps=True, rows=3),
    _Plan(gaps=False, rows=3),
    _Plan(gaps=False, rows=2),
    _Plan(gaps=False, rows=1),
    _Plan(gaps=True, rows=3, slots=False),
    _Plan(gaps=False, rows=1, slots=False),
    _Plan(gaps=False, rows=1, slots=False, figures=False),
)


def picture(snapshot: Snapshot, width: int, height: int, ink: Ink) -> list[Line]:
    """Return `height` lines of `width` characters each."""
    inner = min(max(width - 2 * _MARGIN, _NARROWEST), _WIDEST)
    for plan in _PLANS:
        lines = list(_joined(_blocks(snapshot, inner, ink, plan), gaps=plan.gaps))
        if len(lines) <= height:
            break
    margin = Segment(" " * _MARGIN)
    shown = [[margin, *line] for line in lines[:height]]
    return Segment.set_shape(shown, width, height)


def _blocks(snapshot: Snapshot, width: int, ink: Ink, plan: _Plan) -> Iterator[list[Line]]:
    yield parts.bar(snapshot, width, ink)
    yield parts.throughput(snapshot, width, plan.rows, ink)
    if plan.slots:
        yield parts.slot_map(snapshot, width, ink) + parts.key(snapshot, width, ink)
    else:
        yield parts.key(snapshot, width, ink)
    if plan.figures:
        yield parts.figures(snapshot, width)


def _joined(blocks: Iterator[list[Line]], *, gaps: bool) -> Iterator[Line]:
    between: list[Line] = [[]] if gaps else []
    return chain.from_iterable([*between, *block] for block in blocks)
