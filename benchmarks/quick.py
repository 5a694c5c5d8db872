"""Short runs with floors of their own, for every `make test`: a loss of throughput shows at once.

Not the floors of the long runs: at the start all slots fill together and nothing is learned yet,
which helps some figures and harms others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from benchmarks.contenders import OPTIMISTIC
from benchmarks.figures import Figures
from benchmarks.runs import Run
from benchmarks.scenarios import HALVES, Floors
from benchmarks.suite import Verdict, refused_share

__all__ = ["QUICK", "quick_verdicts"]

TASKS: Final = 4_000

QUICK: Final[Mapping[Run, Floors]] = {
    Run(tasks=TASKS): Floors(share=0.805, lag=3.3, p99_lag=8.5, checks=3.5),
    # These two are where learning pays most: stalest first has .778 and .857.
    Run(tasks=TASKS, scenario="LN(15, 0.3)"): Floors(share=0.82, lag=2.7, checks=2.75),
    Run(tasks=TASKS, scenario=HALVES): Floors(share=0.90, lag=2.1),
    Run(tasks=TASKS, contender=OPTIMISTIC): Floors(share=0.89, lag=4.0),
    # Far below the limits there is no throughput to be had, only politeness.
    Run(tasks=600, in_flight=10): Floors(share=0.0, lag=0.90, checks=10.5),
}


def quick_verdicts(run: Run, one: Figures) -> Iterator[Verdict]:
    """Hold the figures of a short run against its floors."""
    floors, name = QUICK[run], run.name
    if run.in_flight is None:
        yield Verdict(f"{name}: share of the oracle", one.share, floors.share, at_most=False)
    yield Verdict(f"{name}: mean lag, s", one.lag, floors.lag)
    if floors.p99_lag is not None:
        yield Verdict(f"{name}: p99 of the lag, s", one.p99_lag, floors.p99_lag)
    if floors.checks is not None:
        yield Verdict(f"{name}: checks a task", one.checks, floors.checks)
    yield Verdict(f"{name}: refused for the rate", one.refused_for_rate, 0)
    hopeful = run.contender == OPTIMISTIC
    places = 0.005 if hopeful else 0.0
    yield Verdict(f"{name}: share refused for places", refused_share(one), places)
