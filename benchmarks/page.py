"""docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from attrs import evolve

from benchmarks.contenders import BY_HAND, CLIENTS, LEARNED, OPTIMISTIC
from benchmarks.figures import Figures
from benchmarks.runs import Run
from benchmarks.scenarios import HALVES, SCENARIOS, TYPICAL
from benchmarks.suite import (
    FEW,
    LATE,
    NOT_COUNTED,
    SOCKETS,
    Results,
    by_hand,
    far_runs,
    few,
    few_contenders,
    late,
    polite,
    seeds,
    verdicts,
)

__all__ = ["page"]


def page(results: Results) -> str:
    """Return the whole page."""
    return f"""# Benchmarks

Written by `make bench`, which takes about half an hour. Every run is the real client, or the loop
that it is compared with, against the emulator in memory and in virtual time: 10,000 requests in any
60 s (refused ones count), 1,000 tasks at once, all tasks there from the start. The same seed gives
the same figures on any machine.

- **Throughput** is `X = (n - k) / (a_n - a_k)`: a_i is when the API accepted submit i, k the 15 % at the
  start that are left out (60 % with stuck tasks, which take that long to fill their share of slots;
  their lags count from then on as well).
- **The oracle** is told when each task ends: one look a task, its slot free in the same moment.
- **Lag** is the time from a task's end to the look that saw it.
- LN(15, 0.6) is a lognormal service time with a median of 15 s.

## At the limit

![Throughput as a share of the oracle's](pictures/throughput.svg)

Mean of seeds 1 to 3; 20,000 tasks each (40,000 with stuck ones).

{_saturated(results)}

Refused are optimistic submits alone, for want of a place: that costs nothing but the request.

At a round trip of 0.3 s, the same seed with and without it:

{_far(results)}

Where the API frees a place some seconds after a task's end ({TYPICAL}, seed 1), there is less to gain
beyond the free slots, and in the end nothing:

{_late(results)}

Over real sockets instead of memory, {TYPICAL}, seed 1: {results[SOCKETS].throughput:.2f} tasks a
second against {results[Run()].throughput:.2f}.

## Against what people write by hand

A coroutine a task, `asyncio.Semaphore(1000)`, one `AsyncLimiter` in front of submits and looks, and
a timer between looks. A submit that is refused is tried again after a second; a refused look counts
as one that found nothing. 10,000 tasks, seed 1. "Paced" is `AsyncLimiter(8, 8 / 166.5)`.

![Loops by hand](pictures/by-hand.svg)

{_by_hand(results, TYPICAL)}

The row "not counted" is the same at an API that does not count refused requests. Where it counts them,
looks that are refused and tried again fill each next minute, and the last few submits come very late:
see when all are done. And where half of the requests are 1K at 10 s and half 4K at 40 s:

{_by_hand(results, HALVES)}

## Few tasks in flight

A web backend, say: {TYPICAL}, 2,000 tasks, 10 or 100 at once. The limits are far away; what counts is
how early the end of a task is seen, and for how many looks. (Which limiter a loop has does not matter here.)

![Lag against looks](pictures/few.svg)

{_few(results)}

## What has to be reached

`make bench` fails where one of these is missed.

{_verdicts(results)}
"""


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """Return a Markdown table, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _saturated(results: Results) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for name in SCENARIOS:
            for contender in CLIENTS:
                all_ = [results[run] for run in seeds(name, contender)]
                yield name, contender, *_cells(all_)

    head = ("service time", "client", "tasks/s", "of the oracle", "lag, s", "p99, s")
    return table((*head, "checks a task", "refused"), rows())


def _cells(runs: Sequence[Figures]) -> tuple[str, ...]:
    refused = fmean(one.refused for one in runs)
    requests = fmean(one.requests for one in runs)
    return (
        f"{fmean(one.throughput for one in runs):.1f}",
        f"{fmean(one.share for one in runs):.3f}",
        f"{fmean(one.lag for one in runs):.2f}",
        f"{fmean(one.p99_lag for one in runs):.1f}",
        f"{fmean(one.checks for one in runs):.2f}",
        f"{refused / requests:.2%}" if refused else "0",
    )


def _far(results: Results) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for run in far_runs():
            there, here = results[run], results[evolve(run, round_trip=0.0)]
            ratio = there.throughput / here.throughput
            figures = f"{there.throughput:.1f}", f"{ratio:.3f}", f"{there.lag:.2f}"
            yield run.scenario, run.contender, *figures

    return table(("service time", "client", "tasks/s", "to that at 0", "lag, s"), rows())


def _late(results: Results) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for seconds in LATE:
            for name in (LEARNED, OPTIMISTIC):
                yield f"{seconds:g} s", name, *_cells([results[late(name, seconds)]])

    head = ("free after", "client", "tasks/s", "of the oracle", "lag, s", "p99, s")
    return table((*head, "checks a task", "refused"), rows())


def _by_hand(results: Results, scenario: str) -> str:
    def rows() -> Iterator[Sequence[str]]:
        runs = {f"this client, {LEARNED}": by_hand(LEARNED, scenario)}
        runs |= {name: by_hand(name, scenario) for name in BY_HAND}
        if scenario == TYPICAL:
            runs["the first of these, not counted"] = NOT_COUNTED
        for name, run in runs.items():
            one = results[run]
            yield (
                name,
                f"{one.throughput:.1f}",
                f"{one.share:.3f}",
                f"{one.seconds:.0f}",
                f"{one.lag:.1f}",
                f"{one.checks:.2f}",
                f"{one.refused:,}",
            )

    head = ("loop", "tasks/s", "of the oracle", "all done after, s", "lag, s")
    return table((*head, "checks a task", "refused requests"), rows())


def _few(results: Results) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for name in few_contenders():
            cells = [results[few(name, number)] for number in FEW]
            yield name, *(f"{one.lag:.2f} s, {one.checks:.1f} checks" for one in cells)
        cells = [results[polite(number)] for number in FEW]
        yield (
            f"{LEARNED}, 3,000 tasks",
            *(f"{one.lag:.2f} s, {one.checks:.1f} checks" for one in cells),
        )

    return table(("who", *(f"{number} in flight" for number in FEW)), rows())


def _verdicts(results: Results) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for verdict in verdicts(results):
            yield (
                verdict.what,
                f"{verdict.figure:.4g}",
                verdict.limit,
                "yes" if verdict.reached else "**no**",
            )

    return table(("what", "figure", "has to be", "reached"), rows())
