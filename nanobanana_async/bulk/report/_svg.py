"""Pieces of an SVG drawing inside an HTML page: scales, ticks, and elements without a style.

All looks are in page.css, since the page allows no style attribute and has a light and a dark side.
"""

from collections.abc import Iterable
from html import escape
from math import floor, log10
from typing import Final

WIDTH: Final = 480


def number(value: float) -> str:
    """Write a figure with three digits that matter, thousands apart."""
    if value == 0:
        return "0"
    digits = max(0, 2 - floor(log10(abs(value))))
    written = f"{value:,.{digits}f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def duration(seconds: float) -> str:
    """Write a time as people say it."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length or seconds == length:
            return f"{number(round(seconds / length, 1))} {unit}"
    return f"{number(seconds)} s"


def ticks(top: float, count: int) -> list[float]:
    """Return round values from 0 to at most `top`, about `count` steps."""
    rough = top / count
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    return [i * step for i in range(floor(top / step + 1e-9) + 1)]


def time_ticks(top: float, count: int) -> list[float]:
    """Return round times from 0 to at most `top` seconds."""
    steps = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)
    rough = top / count
    if rough < steps[0] / 2 or rough > steps[-1]:
        return ticks(top, count)
    step = next(step for step in steps if step >= rough * 0.999)
    return [float(i * step) for i in range(int(top / step) + 1)]


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> str:
    """A straight line."""
    return f'<line class="{look}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def bar(x: float, y: float, width: float, height: float, look: str = "bar") -> str:
    """A filled rectangle."""
    return (
        f'<rect class="{look}" x="{x:.1f}" y="{y:.1f}" '
        f'width="{max(width, 0.5):.1f}" height="{max(height, 0):.1f}"/>'
    )


def label(x: float, y: float, words: str, look: str = "start") -> str:
    """A text; `look` says which of its ends stands at x."""
    return f'<text class="{look}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def drawing(title: str, summary: str, height: float, parts: Iterable[str]) -> str:
    """A figure with its title, what it says in words, and the drawing."""
    body = "".join(parts)
    return (
        f'<figure class="plot"><figcaption><h3>{escape(title)}</h3>'
        f"<p>{escape(summary)}</p></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}. {escape(summary)}">{body}</svg></figure>'
    )
