"""Plot: what went wrong, by the API's code or the error's type."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from nanobanana_async.bulk.report._svg import WIDTH, bar, drawing, label

_TITLE: Final = "Failures by code"
_MOST: Final = 12
_LONGEST: Final = 44
_STEP: Final = 44


def failures_plot(reasons: Counter[str]) -> str:
    """Draw it; an empty text where nothing went wrong."""
    if not reasons:
        return ""
    bars = reasons.most_common(_MOST)
    rest = len(reasons) - len(bars)
    if rest:
        bars.append((f"{rest} others", reasons.total() - sum(count for _, count in bars)))
    summary = f"{reasons.total():,} rows without their picture; {bars[0][0]} most often."
    return drawing(_TITLE, summary, len(bars) * _STEP, _bars(bars))


def _bars(bars: list[tuple[str, int]]) -> Iterator[str]:
    most = max(count for _, count in bars)
    for i, (name, count) in enumerate(bars):
        y = i * _STEP
        shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
        yield label(2, y + 16, shown)
        yield label(WIDTH - 2, y + 16, f"{count:,}", "end strong")
        yield bar(2, y + 23, (WIDTH - 4) * count / most, 10, "bar bad")
