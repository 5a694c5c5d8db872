"""Plot: tasks that ended a second, over time, against what the account's limits allow."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from nanobanana_async.bulk.report._pauses import Shortened, shortened
from nanobanana_async.bulk.report._svg import (
    WIDTH,
    bar,
    drawing,
    duration,
    label,
    line,
    number,
    ticks,
    time_ticks,
)

_TITLE: Final = "Throughput over time"
_BINS: Final = 80
_HEIGHT: Final = 238
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, WIDTH - 8, 24, 212

# A limit so far above what was reached would press the bars to the ground.
_FAR: Final = 4

_GAP: Final = 1


def throughput(ended: Iterable[float], limit: float | None) -> str:
    """Draw it; an empty text where nothing ended."""
    moments = list(ended)
    if not moments:
        return ""
    axis = shortened(moments)
    rates = _rates(axis)
    peak = max(rates)
    shown = limit if limit and limit <= _FAR * peak else None
    top = max(peak, shown or 0) * 1.08
    parts = [*_scale(top, axis), *_bars(rates, top), *_pauses(axis), *_limit(shown, top)]
    return drawing(_TITLE, _summary(moments, axis, peak, limit), _HEIGHT, parts)


def _rates(axis: Shortened) -> list[float]:
    """Tasks a second in equal parts of the time, of a second at least."""
    count = max(1, min(_BINS, int(axis.span)))
    width = axis.span / count
    found = Counter(min(count - 1, int(time / width)) for time in axis.times)
    return [found[i] / width for i in range(count)]


def _summary(moments: list[float], axis: Shortened, peak: float, limit: float | None) -> str:
    began = datetime.fromtimestamp(min(moments), UTC)
    said = (
        f"Tasks that ended a second: {number(len(moments) / axis.span)} on average over "
        f"{duration(axis.span)}, {number(peak)} at most."
    )
    if limit:
        said += f" The limits allow {number(limit)}."
    if axis.pauses:
        said += " Pauses are cut out."
    return f"{said} The first ended {began:%Y-%m-%d %H:%M} UTC."


def _up(value: float, top: float) -> float:
    return _BOTTOM - value / top * (_BOTTOM - _TOP)


def _across(time: float, axis: Shortened) -> float:
    return _LEFT + time / axis.span * (_RIGHT - _LEFT)


def _scale(top: float, axis: Shortened) -> Iterator[str]:
    for value in ticks(top, 4):
        y = _up(value, top)
        yield line(_LEFT, y, _RIGHT, y, "grid")
        yield label(_LEFT - 6, y + 4, number(value), "end")
    for time in time_ticks(axis.span, 4):
        yield label(_across(time, axis), _BOTTOM + 20, duration(time), "middle")
    yield label(2, 12, "tasks a second")


def _bars(rates: list[float], top: float) -> Iterator[str]:
    width = (_RIGHT - _LEFT) / len(rates)
    for i, rate in enumerate(rates):
        if rate:
            y = _up(rate, top)
            yield bar(_LEFT + i * width, y, width - _GAP, _BOTTOM - y)


def _pauses(axis: Shortened) -> Iterator[str]:
    for pause in axis.pauses:
        x = _across(pause.at, axis)
        yield line(x, _TOP, x, _BOTTOM, "pause")
        look = "end" if x > (_LEFT + _RIGHT) / 2 else "start"
        yield label(
            x + (-5 if look == "end" else 5), _TOP + 2, f"pause {duration(pause.length)}", look
        )


def _limit(limit: float | None, top: float) -> Iterator[str]:
    if limit:
        y = _up(limit, top)
        yield line(_LEFT, y, _RIGHT, y, "limit")
        yield label(_RIGHT, y - 5, f"limit {number(limit)}", "end limit-label")
