"""Plot: how long tasks took, a histogram for each resolution over one axis."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from nanobanana_async.bulk.report._svg import (
    WIDTH,
    bar,
    drawing,
    duration,
    label,
    line,
    number,
    ticks,
)

_TITLE: Final = "Service times by resolution"
_BINS: Final = 48
_LEFT, _RIGHT = 4, WIDTH - 12
_STRIP, _ROOM = 96, 62

# Resolutions that a file's author made up; the rest is left out.
_MOST: Final = 6
_LONGEST: Final = 20


def service_plot(service_times: Mapping[str, Sequence[float]]) -> str:
    """Draw it; an empty text where no service time is known."""
    strips = [(name[:_LONGEST], times) for name, times in sorted(service_times.items())[:_MOST]]
    if not strips:
        return ""
    # A few that took very long stand in the last bar, or all others would be one line.
    top = max(_quantile(sorted(chain(*service_times.values())), 0.995) * 1.05, 1e-3)
    height = len(strips) * _STRIP + 24
    parts = [*_scale(top, height), *chain.from_iterable(_strips(strips, top))]
    return drawing(_TITLE, _summary(strips), height, parts)


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _summary(strips: list[tuple[str, Sequence[float]]]) -> str:
    return "; ".join(
        f"{name}: half within {duration(_quantile(sorted(times), 0.5))}" for name, times in strips
    )


def _across(time: float, top: float) -> float:
    return _LEFT + min(time / top, 1) * (_RIGHT - _LEFT)


def _scale(top: float, height: float) -> Iterator[str]:
    for time in ticks(top, 5):
        x = _across(time, top)
        yield line(x, 20, x, height - 22, "grid")
        yield label(x, height - 5, f"{number(time)} s", "middle" if time else "start")


def _strips(strips: list[tuple[str, Sequence[float]]], top: float) -> Iterator[Iterator[str]]:
    for i, (name, times) in enumerate(strips):
        yield _strip(name, sorted(times), top, i * _STRIP)


def _strip(name: str, times: Sequence[float], top: float, y: float) -> Iterator[str]:
    """One histogram, its own highest bar as high as all others' highest ones."""
    middle, late = _quantile(times, 0.5), _quantile(times, 0.95)
    yield label(_LEFT, y + 14, f"{name}  ({len(times):,})", "start strong")
    said = f"median {duration(middle)}, 95 % within {duration(late)}"
    yield label(_RIGHT, y + 14, said, "end")
    ground, width = y + _STRIP - 4, (_RIGHT - _LEFT) / _BINS
    found = Counter(min(_BINS - 1, int(time / top * _BINS)) for time in times)
    highest = max(found.values())
    for i, count in found.items():
        tall = count / highest * _ROOM
        yield bar(_LEFT + i * width, ground - tall, width - 1, tall)
    x = _across(middle, top)
    yield line(x, ground - _ROOM - 6, x, ground, "median")
    yield line(_LEFT, ground, _RIGHT, ground, "axis")
