"""The pictures of docs/explain/polling.md: where requests and slots go, and where the next look comes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from matplotlib.axes import Axes

from benchmarks.contenders import LEARNED, OPTIMISTIC, PACED, STALEST, TABLE
from benchmarks.figures import Figures
from benchmarks.oracle import SLOTS
from benchmarks.plots import BLUE, GREEN, GREY, ORANGE, sheet
from benchmarks.scenarios import SCENARIOS, TYPICAL, mean_of
from benchmarks.suite import Results, by_hand, seeds
from nanobanana_async._life_table import LifeTable
from nanobanana_async.emulator import LogNormal, ServiceModel

__all__ = ["looks", "pictures", "taught"]

PRICE: Final = 0.1
OBSERVED: Final = 3_000
SMOOTH: Final = {
    "LN(15, 0.6)": LogNormal(15.0, 0.6),
    "LN(15, 0.3)": LogNormal(15.0, 0.3),
    "LN(40, 0.3)": LogNormal(40.0, 0.3),
}
MODELS: Final[dict[str, ServiceModel]] = {
    **SMOOTH,
    "2 % stuck, 3 % failing": SCENARIOS["2 % stuck, 3 % failing"].service(0),
}


def pictures(results: Results, folder: Path) -> None:
    """Write all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    compared = {
        "a timer of 1 s a task": results[by_hand(f"every second, {PACED}")],
        "5 s, then every 3 s": results[by_hand(f"{TABLE}, {PACED}")],
        STALEST: results[seeds(TYPICAL, STALEST)[0]],
        LEARNED: results[seeds(TYPICAL, LEARNED)[0]],
        OPTIMISTIC: results[seeds(TYPICAL, OPTIMISTIC)[0]],
    }
    with sheet(folder / "budget.svg", height=3.2) as axes:
        _stacked(axes, {name: _budget(one) for name, one in compared.items()})
        axes.set_xlabel("requests that one task takes")
    with sheet(folder / "slots.svg", height=3.2) as axes:
        del compared[OPTIMISTIC]  # it holds more than the 1,000
        _stacked(axes, {name: _slot(one) for name, one in compared.items()})
        axes.set_xlabel("seconds that one task takes of one of the 1,000 slots")
    with sheet(folder / "next-look.svg", height=4.5) as axes:
        _next_look(axes)
    with sheet(folder / "gaps.svg") as axes:
        _gaps(axes)


# Where requests and slots go


def _budget(one: Figures) -> dict[str, float]:
    """Requests: each task needs one submit and one look that finds its end."""
    return {
        "its submit": 1.0,
        "the look that finds its end": 1.0,
        "looks that find nothing": one.checks - 1,
    }


def _slot(one: Figures) -> dict[str, float]:
    """Seconds: all slots are taken or waited for, so a task has C/X of one."""
    running = mean_of(15.0, 0.6)
    return {
        "the task runs": running,
        "it has ended, nobody has seen it": one.lag,
        "free, its submit waits for a token": max(SLOTS / one.throughput - running - one.lag, 0.0),
    }


def _stacked(axes: Axes, bars: dict[str, dict[str, float]]) -> None:
    for row, parts in enumerate(bars.values()):
        left = 0.0
        for (name, width), colour in zip(parts.items(), (BLUE, GREEN, ORANGE), strict=True):
            axes.barh(row, width, 0.7, left, color=colour, label=name if row == 0 else None)
            if width >= 1.0:
                label = f"{width:.1f}"
                axes.text(left + width / 2, row, label, ha="center", va="center", color="white")
            left += width
    axes.set_yticks(range(len(bars)), list(bars))
    axes.invert_yaxis()
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, frameon=False)


# Where the next look comes


def taught(model: ServiceModel) -> LifeTable:
    """Return a life table that has seen tasks of this service time."""
    table, rng = LifeTable(), Random(1)
    for _ in range(OBSERVED):
        table.ended(0.0, model.draw(rng, "1K").seconds)
    return table


def looks(table: LifeTable, after: float, until: float) -> Iterator[float]:
    """Yield the ages at which a task is looked at that does not end, `after` apart by its clock."""
    age = 0.0
    while True:
        age = max(table.age_at(table.clock(age) + after), age + 0.5)
        if age > until:
            return
        yield age


def _next_look(axes: Axes) -> None:
    """Densities, and below each the ages at which a task is looked at."""
    for row, (name, model) in enumerate(SMOOTH.items()):
        table, base = taught(model), -1.5 * row
        ages = [number / 4 for number in range(1, 320)]
        axes.fill_between(
            ages, base, [base + 11 * _density(model, age) for age in ages], color=BLUE, alpha=0.35
        )
        axes.text(79, base + 0.35, name, ha="right")
        for after, colour, drop in ((math.sqrt(2 * PRICE), BLUE, 0.12), (1.6, ORANGE, 0.3)):
            marks = list(looks(table, after, 80.0))
            axes.scatter(marks, [base - drop] * len(marks), marker="|", color=colour, s=60)
    axes.set_yticks([])
    axes.spines.left.set_visible(False)
    axes.set_xlim(0, 80)
    axes.set_xlabel("age of the task, s")
    axes.set_title(
        "When tasks end (shaded), and when one that has not ended is looked at:\n"
        "blue with budget to spare, orange when the budget is short",
        fontsize=10,
    )


def _density(model: LogNormal, age: float) -> float:
    z = math.log(age / model.median) / model.sigma
    return math.exp(-z * z / 2) / (age * model.sigma * math.sqrt(2 * math.pi))


def _gaps(axes: Axes) -> None:
    for (name, model), colour in zip(MODELS.items(), (BLUE, GREEN, ORANGE, GREY), strict=True):
        table = taught(model)
        ages = [number / 4 for number in range(240)]
        after = math.sqrt(2 * PRICE)
        gaps = [max(table.age_at(table.clock(age) + after) - age, 0.5) for age in ages]
        axes.plot(ages, gaps, color=colour, label=name)
    axes.set_ylim(0, 18)
    axes.set_xlim(0, 60)
    axes.set_xlabel("age at which the task was seen running, s")
    axes.set_ylabel("seconds to the next look")
    axes.legend(frameon=False)
