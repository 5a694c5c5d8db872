"""The parts of the demo's picture, each some lines for a given width."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final

from rich.segment import Segment
from rich.style import Style

from nanobanana_async.cli.demo._history import SPAN, growth
from nanobanana_async.cli.demo._ink import (
    BAD,
    BOLD,
    BUSY,
    DIM,
    GOOD,
    LEFT,
    PLAIN,
    RATE,
    Ink,
    Line,
)
from nanobanana_async.cli.demo._progress import Snapshot
from nanobanana_async.cli.demo._slots import Stage

_GAP: Final = 2
_LEVELS: Final = 8
_STAGES: Final = {
    Stage.SUBMITTED: "submitted",
    Stage.LOOKED_AT: "looked at",
    Stage.READY: "ready",
    Stage.FOUND: "found",
    Stage.FREE: "free",
}


def bar(snapshot: Snapshot, width: int, ink: Ink) -> list[Line]:
    """How much is done, how much is under way, and since when."""
    minutes, seconds = divmod(int(snapshot.seconds), 60)
    number = f"{snapshot.done:,}"
    rest = f" of {snapshot.total:,} pictures"
    clock = f"{minutes}:{seconds:02}"
    begun = max(snapshot.submitted, snapshot.done)
    done, busy = (round(width * part / snapshot.total) for part in (snapshot.done, begun))
    between = " " * max(width - len(number + rest + clock), 1)
    return [
        [Segment(number, BOLD), Segment(rest, PLAIN), Segment(between), Segment(clock, PLAIN)],
        [
            Segment(ink.done * done, GOOD),
            Segment(ink.busy * (busy - done), BUSY),
            Segment(ink.left * (width - busy), LEFT),
        ],
    ]


def throughput(snapshot: Snapshot, width: int, height: int, ink: Ink) -> list[Line]:
    """Draw the requests of the last seconds, the limit as a line above `height` lines."""
    scale = f"limit {snapshot.requests_limit:.0f} "
    rates = growth(snapshot.requests, width - len(scale))
    steps = height * _LEVELS
    levels = [_level(rate, snapshot.requests_limit, steps) for rate in rates]
    rows = [
        "".join(_block(level - row * _LEVELS, ink.levels) for level in levels)
        for row in reversed(range(height))
    ]
    over = [_block(level - steps, ink.levels) for level in levels]
    left = " " * len(scale)
    return [
        _headed("requests a second", f"{snapshot.requests_per_second:.0f}", f"last {SPAN:.0f} s"),
        [Segment(scale, DIM), *_ceiling(over, ink)],
        *([Segment(left), Segment(row, RATE)] for row in rows),
    ]


def _level(rate: float | None, limit: float, steps: int) -> int:
    """Return the height of a bar in eighths of a line; one that is not 0 can be seen."""
    if rate is None or rate <= 0:
        return 0
    return max(1, round(rate / limit * steps))


def _block(level: int, blocks: Sequence[str]) -> str:
    return blocks[min(max(level, 0), _LEVELS)]


def _ceiling(over: Iterable[str], ink: Ink) -> Line:
    return [Segment(ink.ceiling, DIM) if sign == " " else Segment(sign, RATE) for sign in over]


def slot_map(snapshot: Snapshot, width: int, ink: Ink) -> list[Line]:
    """Draw each slot, two in a place, and say how many are at which stage."""
    slots = snapshot.slots
    taken = sum(slots.count(stage) for stage in (Stage.SUBMITTED, Stage.LOOKED_AT, Stage.READY))
    lines = -(-len(slots) // (2 * width))
    across = -(-len(slots) // (2 * lines))
    note = "" if ink.coloured else ", a sign is two"
    return [
        _headed("slots taken", f"{taken:,}", f"of {snapshot.tasks_limit:,}{note}"),
        *(
            _places(slots[begin : begin + 2 * across], ink)
            for begin in range(0, len(slots), 2 * across)
        ),
    ]


@lru_cache(maxsize=64)  # most lines are what they were a moment ago
def _places(slots: bytes, ink: Ink) -> Line:
    """Draw one line of the map, with as few changes of colour as there must be."""
    pairs = zip(slots[::2], slots[1::2], strict=False)
    runs = ((ink.slots(*pair), len(list(run))) for pair, run in groupby(pairs))
    return [Segment(sign.text * number, sign.style) for sign, number in runs]


def key(snapshot: Snapshot, width: int, ink: Ink) -> list[Line]:
    """Say what the map's signs mean, and how many there are of each."""
    items: list[Line] = [
        [
            ink.stage(stage),
            Segment(f" {name} ", DIM),
            Segment(f"{snapshot.slots.count(stage):>4}", PLAIN),
        ]
        for stage, name in _STAGES.items()
    ]
    return _flow(items, width)


def figures(snapshot: Snapshot, width: int) -> list[Line]:
    """Lay out the other figures in columns."""
    cells = [
        _figure("submitted", f"{snapshot.submitted:,}"),
        _figure("in flight", f"{snapshot.in_flight:,}"),
        _figure("downloaded", f"{snapshot.downloaded:,}"),
        _figure("checks a task", f"{snapshot.checks_per_task:.2f}"),
        _figure("detection lag", f"{snapshot.mean_lag:.2f} s"),
        _figure("longest lag", f"{snapshot.longest_lag:.2f} s"),
        _figure("refused", f"{snapshot.refusals:,}", _worry(snapshot.refusals)),
        _figure("failed", f"{snapshot.failed:,}", _worry(snapshot.failed)),
    ]
    columns = max((width + _GAP) // (_length(cells[0]) + _GAP), 1)
    rows = -(-len(cells) // columns)
    return [line for row in range(rows) for line in _flow(cells[row::rows], width)]


def _figure(label: str, value: str, style: Style = PLAIN) -> Line:
    return [Segment(f"{label:<14}", DIM), Segment(f"{value:>8}", style)]


def _worry(count: int) -> Style:
    return BAD if count else GOOD


def _headed(label: str, value: str, note: str) -> Line:
    return [Segment(f"{label} ", DIM), Segment(value, BOLD), Segment(f"  {note}", DIM)]


def _flow(items: Iterable[Line], width: int) -> list[Line]:
    """Put as many beside each other as fit."""
    lines: list[Line] = []
    for item in items:
        gap = Segment(" " * _GAP)
        if lines and _length(lines[-1]) + _GAP + _length(item) <= width:
            lines[-1] += [gap, *item]
        else:
            lines.append(list(item))
    return lines


def _length(line: Line) -> int:
    return sum(len(segment.text) for segment in line)
