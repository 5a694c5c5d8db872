"""The drawings and figures of docs/explain/budget.md and no-timers.md: a minute, in virtual time.

python -m benchmarks.explained [--write docs]
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Final

from aiolimiter import AsyncLimiter
from attrs import frozen
from matplotlib.axes import Axes

from benchmarks.contenders import (
    BY_HAND,
    CLIENTS,
    LEARNED,
    PACED,
    ByHand,
    as_documented,
    every,
    paced,
)
from benchmarks.figures import of_ledger
from benchmarks.oracle import SLOTS
from benchmarks.plots import BLUE, GREEN, GREY, ORANGE, sheet
from benchmarks.runs import EPOCH, Run
from benchmarks.scenarios import mean_of
from benchmarks.traced import Kind, Request, Trace, trace
from nanobanana_async.emulator import EmulatorCore, MemoryTransport, run_virtual

__all__ = ["SLEEPING", "Slot", "described", "pictures", "slots", "table"]

RUN: Final = Run(tasks=10_000)
WARM_UP: Final = 0.15
BIN: Final = 4.0
"""Seconds."""
SLEEPING: Final = f"`sleep(2)` a task, {PACED}"
SHOWN: Final = 18
"""Tasks drawn; the first of them is as far into the run as it takes to be in full swing."""
FIRST_SHOWN: Final = 5_000
EACH: Final = 23
"""Of so many one is drawn: neighbours are submitted, and looked at, together."""

PARTS: Final[Mapping[Kind, tuple[str, str]]] = {
    "submit": ("submits", BLUE),
    "found": ("looks that find an end", GREEN),
    "nothing": ("looks that find nothing", ORANGE),
}


# What becomes of a slot


@frozen
class Slot:
    """One task's time in its slot; seconds, and its looks' ages."""

    free: float
    """From the moment when the slot was free until the submit took it."""
    runs: float
    unseen: float
    """From the task's end to the look that saw it."""
    looks: Sequence[float]


def slots(traced: Trace) -> list[Slot]:
    """Return what each task did with its slot, in the order of their submits.

    The first 1,000 take one that nobody had. From then on submit i takes the slot that was given
    back as number i - 1,000: there are no others.
    """
    ledger, looked = traced.ledger, _looks(traced.requests)
    freed = [request.at for request in traced.requests if request.kind == "found"]
    since = [*ledger.accepted_at[:SLOTS], *freed]
    tasks = zip(ledger.task_ids, ledger.accepted_at, ledger.service_times, ledger.lags, strict=True)
    return [
        Slot(at - free_at, runs, lag or 0.0, [look - at for look in looked[task_id]])
        for free_at, (task_id, at, runs, lag) in zip(since, tasks, strict=False)
    ]


def _looks(requests: Sequence[Request]) -> dict[str, list[float]]:
    looked: dict[str, list[float]] = {}
    for request in requests:
        if request.task_id is not None:
            ages = looked.setdefault(request.task_id, [])
            if request.kind != "submit":
                ages.append(request.at)
    return looked


# Figures


def table(traces: Mapping[str, Trace]) -> Iterator[str]:
    """Yield the lines of the table of docs/explain/no-timers.md."""
    yield (
        "| | tasks a second | looks a task | seconds between looks | slot free, s"
        " | ended, unseen, s | refused | timers a request |"
    )
    yield "| --- " + "| ---: " * 7 + "|"
    for name, traced in traces.items():
        yield _row(name, traced)


def _row(name: str, traced: Trace) -> str:
    figures, seen = of_ledger(traced.ledger, WARM_UP), slots(traced)
    seen = seen[round(WARM_UP * len(seen)) :]
    between = [now - then for slot in seen for then, now in pairwise([0.0, *slot.looks])]
    free = SLOTS / figures.throughput - mean_of(15.0, 0.6) - figures.lag
    cells = [
        name,
        f"{figures.throughput:.1f}",
        f"{figures.checks:.2f}",
        f"{fmean(between):.1f}",
        f"{max(free, 0.0):.1f}",
        f"{figures.lag:.1f}",
        f"{traced.count('refused'):,}",
        f"{traced.timers / len(traced.requests):.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def budget(traced: Trace) -> str:
    """Return where the requests of a run went, in a line."""
    counts = Counter(request.kind for request in traced.requests)
    parts = (f"{words}: {counts[kind]:,}" for kind, (words, _) in PARTS.items())
    return (
        f"{len(traced.requests):,} requests ({', '.join(parts)}), refused: {counts['refused']:,}; "
        f"fullest minute: {traced.ledger.fullest_window:,}; most tasks: {traced.ledger.most_tasks}"
    )


def unlimited() -> str:
    """Return how far a loop without a limiter comes in ten minutes, in a line."""
    after = [run_virtual(_unlimited(seconds)) for seconds in (60.0, 600.0)]
    return f"without a limiter: {after[0]:,} tasks are done after a minute, {after[1]:,} after ten"


async def _unlimited(seconds: float) -> int:
    core = EmulatorCore(RUN.settings(), epoch=EPOCH)
    loop = ByHand(every(2.0), lambda: AsyncLimiter(1e9, 1))
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await loop.work(MemoryTransport(core), RUN.job)
    return core.ledger(asyncio.get_running_loop().time()).finished_seen


# Drawings


def pictures(ours: Trace, sleeping: Trace, folder: Path) -> None:
    """Write both."""
    folder.mkdir(parents=True, exist_ok=True)
    with sheet(path := folder / "budget-over-a-run.svg", height=3.6) as axes:
        _over_time(axes, ours.requests)
    described(
        path,
        "Requests a second over a run of 10,000 tasks",
        "Stacked areas: submits, looks that find an end, looks that find nothing. Together they "
        "stay just below the limit of 167 a second, from the first second to the last submit.",
    )
    with sheet(path := folder / "timers.svg", height=6.5) as axes:
        _rows(axes, {"the shared poller": ours, "sleep(2) a task": sleeping})
    described(
        path,
        "The same 18 tasks in their slots, once by the shared poller, once by a timer a task",
        "A row a task: its slot is free, it runs, it has ended and nobody has seen it. With a timer "
        "a task each slot stays free for some five seconds, because its submit stands in line.",
    )


def _over_time(axes: Axes, requests: Sequence[Request]) -> None:
    last = max(request.at for request in requests)
    edges = [number * BIN for number in range(int(last / BIN) + 2)]
    heights = []
    for kind in PARTS:
        counts = Counter(int(request.at / BIN) for request in requests if request.kind == kind)
        heights.append([counts[number] / BIN for number in range(len(edges))])
    base = [0.0] * len(edges)
    for (words, colour), height in zip(PARTS.values(), heights, strict=True):
        top = [low + more for low, more in zip(base, height, strict=True)]
        axes.fill_between(edges, base, top, step="post", color=colour, label=words, linewidth=0)
        base = top
    axes.axhline(10_000 / 60, color=GREY, linewidth=1, linestyle=":")
    axes.set_xlim(0, last)
    axes.set_ylim(0, 185)
    axes.set_xlabel("seconds of the run; dotted: 10,000 requests a minute")
    axes.set_ylabel("requests a second")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)


def _rows(axes: Axes, traces: Mapping[str, Trace]) -> None:
    labels: list[str] = []
    row, right = 0.0, 44.0
    for number, (name, traced) in enumerate(traces.items()):
        shown = sorted(slots(traced)[FIRST_SHOWN::EACH][:SHOWN], key=lambda slot: slot.runs)
        axes.text(44, row, name, ha="right", va="center", fontsize=11)
        for slot in shown:
            row += 1
            right = max(right, slot.runs + slot.unseen + 1)
            _row_of(axes, row, slot, labelled=not labels)
            labels.append(name)
        row += 2 if number == 0 else 0
    axes.set_yticks([])
    axes.spines.left.set_visible(False)
    axes.invert_yaxis()
    axes.set_xlim(-12, right)
    axes.set_xlabel("age of the task, s; white: a look")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)


def _row_of(axes: Axes, row: float, slot: Slot, *, labelled: bool) -> None:
    parts = (
        ("its slot is free", -slot.free, slot.free, ORANGE),
        ("it runs", 0.0, slot.runs, BLUE),
        ("it has ended, nobody has seen it", slot.runs, slot.unseen, GREEN),
    )
    for words, left, width, colour in parts:
        label = words if labelled else None
        axes.barh(row, width, 0.72, left, color=colour, label=label, linewidth=0)
    axes.scatter(
        slot.looks, [row] * len(slot.looks), marker="|", color="white", s=38, linewidths=1.6
    )


def described(path: Path, title: str, description: str) -> None:
    """Give an SVG a title and a description, for whoever does not see it."""
    head, opening, rest = path.read_text().partition("<svg ")
    attributes, _, body = rest.partition(">")
    told = f"\n <title>{title}</title>\n <desc>{description}</desc>"
    path.write_text(f'{head}{opening}role="img" {attributes}>{told}{body}')


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.explained", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--write", type=Path, metavar="DOCS", help="write the drawings there")
    arguments = parser.parse_args()
    traces = {
        "the shared poller": trace(RUN, CLIENTS[LEARNED]),
        SLEEPING: trace(RUN, ByHand(every(2.0), paced)),
        "`sleep(2)` a task, `AsyncLimiter(10000, 60)`": trace(
            RUN, ByHand(every(2.0), as_documented)
        ),
        f"a sleep of 5 s, then of 3 s, {PACED}": trace(
            RUN, BY_HAND[f"5 s, then every 3 s, {PACED}"]
        ),
    }
    print(*table(traces), sep="\n")
    print(budget(traces["the shared poller"]))
    print(unlimited())
    if arguments.write:
        pictures(traces["the shared poller"], traces[SLEEPING], arguments.write / "pictures")


if __name__ == "__main__":
    main()
