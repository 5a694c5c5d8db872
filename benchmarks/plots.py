"""The pictures of docs/benchmarks.md: SVG, the same bytes for the same figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.contenders import BY_HAND, CLIENTS, LEARNED, OPTIMISTIC, STALEST
from benchmarks.runs import Run
from benchmarks.scenarios import SCENARIOS
from benchmarks.suite import Results, by_hand, few, few_contenders, seeds

__all__ = ["BLUE", "GREY", "ORANGE", "plots", "sheet"]

# Readable on white and on black.
GREY: Final = "#8a8a8a"
BLUE: Final = "#3b8bd6"
ORANGE: Final = "#e0762f"
GREEN: Final = "#3fa66b"
COLOURS: Final = {STALEST: GREY, LEARNED: BLUE, OPTIMISTIC: GREEN}

STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "nanobanana",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextmanager
def sheet(path: Path, width: float = 8.0, height: float = 4.0) -> Iterator[Axes]:
    """Draw on the one pair of axes, then write it."""
    with mpl.rc_context(STYLE):
        figure = Figure((width, height), layout="constrained")
        yield figure.subplots()
        figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})


def plots(results: Results, folder: Path) -> None:
    """Write all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with sheet(folder / "throughput.svg", height=5.0) as axes:
        _throughput(axes, results)
    with sheet(folder / "by-hand.svg", width=9.5) as axes:
        _by_hand(axes, results)
    with sheet(folder / "few.svg") as axes:
        _few(axes, results)


def _throughput(axes: Axes, results: Results) -> None:
    names = list(SCENARIOS)
    for offset, contender in enumerate((STALEST, LEARNED, OPTIMISTIC)):
        shares = [fmean(results[run].share for run in seeds(name, contender)) for name in names]
        places = [row + (offset - 1) * 0.27 for row in range(len(names))]
        axes.barh(places, shares, 0.25, color=COLOURS[contender], label=contender)
        for place, share in zip(places, shares, strict=True):
            axes.text(share + 0.003, place, f"{share:.3f}", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0.7, 1.03)
    axes.axvline(1.0, color=GREY, linewidth=1, linestyle=":")
    axes.set_xlabel("throughput, as a share of the oracle's (the axis begins at 0.7)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, frameon=False)


def _by_hand(axes: Axes, results: Results) -> None:
    runs: dict[str, Run] = {"this client": by_hand(LEARNED)}
    runs |= {name: by_hand(name) for name in BY_HAND}
    for row, run in enumerate(runs.values()):
        one = results[run]
        axes.barh(row, one.share, 0.7, color=BLUE if run.contender == LEARNED else GREY)
        words = f"{one.share:.2f}, done after {one.seconds:,.0f} s"
        words += f", {one.refused:,} refused" if one.refused else ""
        axes.text(max(one.share, 1.0) + 0.02, row, words, va="center", fontsize=8)
    axes.set_yticks(range(len(runs)), list(runs))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.9)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.axvline(1.0, color=GREY, linewidth=1, linestyle=":")
    axes.set_xlabel("throughput, as a share of the oracle's; LN(15, 0.6), 10,000 tasks")


def _few(axes: Axes, results: Results) -> None:
    for name in few_contenders():
        one = results[few(name, 10)]
        ours = name in CLIENTS
        axes.scatter(one.checks, one.lag, color=COLOURS.get(name, ORANGE), s=50 if ours else 30)
        axes.annotate(
            name.removesuffix(", paced"),
            (one.checks, one.lag),
            xytext=(7, -12 if name == STALEST else 4),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_xlim(0, 22)
    axes.set_ylim(0)
    axes.set_xlabel("status checks a task")
    axes.set_ylabel("mean lag, s")
    axes.set_title("10 tasks in flight: lower and further left is better", fontsize=10)
