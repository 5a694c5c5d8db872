"""All runs of `make bench`, and what has to be reached in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Final, TypeAlias

from attrs import evolve, frozen

from benchmarks.contenders import (
    BY_HAND,
    CLIENTS,
    LEARNED,
    OPTIMISTIC,
    PACED,
    STALEST,
    TABLE,
    WAITS,
)
from benchmarks.figures import Figures
from benchmarks.runs import Run
from benchmarks.scenarios import HALVES, SCENARIOS, TYPICAL

__all__ = ["Results", "Verdict", "everything", "verdicts"]

Results: TypeAlias = Mapping[Run, Figures]

SEEDS: Final = (1, 2, 3)
HAND_TASKS: Final = 10_000
FEW: Final = (10, 100)
# Seconds. At 2 there is still something to gain beyond the free slots; at 5 a client that keeps to
# its slots is refused already, and nothing is tried beyond them.
LATE: Final = (2.0, 5.0)


def seeds(scenario: str, contender: str) -> list[Run]:
    """The standard runs, of which the mean counts."""
    return [Run(scenario=scenario, contender=contender, seed=seed) for seed in SEEDS]


def far_runs() -> list[Run]:
    """The first of the standard runs, at a round trip of .3 s."""
    careful = [Run(scenario=name, round_trip=0.3) for name in SCENARIOS]
    judged = [name for name, one in SCENARIOS.items() if one.floors.optimistic_share is not None]
    return careful + [Run(scenario=name, contender=OPTIMISTIC, round_trip=0.3) for name in judged]


def late(contender: str, seconds: float) -> Run:
    """Places that are free some seconds after a task's end."""
    return Run(contender=contender, freed_late=seconds)


def by_hand(contender: str, scenario: str = TYPICAL) -> Run:
    return Run(scenario=scenario, contender=contender, tasks=HAND_TASKS)


NOT_COUNTED: Final = evolve(by_hand(f"{TABLE}, AsyncLimiter(10000, 60)"), count_refused=False)


def few(contender: str, in_flight: int) -> Run:
    return Run(contender=contender, tasks=2_000, in_flight=in_flight)


def polite(in_flight: int) -> Run:
    """What is asked of a client with few tasks."""
    return Run(tasks=3_000, in_flight=in_flight)


SOCKETS: Final = Run(sockets=True)


def everything() -> list[Run]:
    """Each run once, the longest first."""
    runs = [run for scenario in SCENARIOS for name in CLIENTS for run in seeds(scenario, name)]
    runs += far_runs()
    runs += [late(name, seconds) for seconds in LATE for name in (LEARNED, OPTIMISTIC)]
    runs += [by_hand(name, scenario) for name in BY_HAND for scenario in (TYPICAL, HALVES)]
    runs += [by_hand(LEARNED, scenario) for scenario in (TYPICAL, HALVES)]
    runs += [few(name, number) for name in few_contenders() for number in FEW]
    runs += [polite(number) for number in FEW]
    runs += [NOT_COUNTED, SOCKETS]
    return sorted(dict.fromkeys(runs), key=_work, reverse=True)


def few_contenders() -> list[str]:
    """This client, and the loops by hand; far below its limit the limiter does not matter."""
    return [LEARNED, STALEST, *(f"{wait}, {PACED}" for wait in WAITS)]


def _work(run: Run) -> float:
    return run.job.tasks * (run.of.mean or 25.0) * (10 if run.sockets else 1)


@frozen
class Verdict:
    """A figure and what it has to be."""

    what: str
    figure: float
    bound: float
    at_most: bool = True

    @property
    def reached(self) -> bool:
        return self.figure <= self.bound if self.at_most else self.figure >= self.bound

    def __str__(self) -> str:
        ends = "" if self.reached else " MISSED"
        return f"{self.what}: {self.figure:.4g} ({self.limit}){ends}"

    @property
    def limit(self) -> str:
        """The bound, in words."""
        return f"{'at most' if self.at_most else 'at least'} {self.bound:g}"


def verdicts(results: Results) -> Iterator[Verdict]:
    """Hold the figures of all runs against what was promised."""
    yield from _saturated(results)
    yield from _far(results)
    yield from _optimistic(results)
    yield from _refusals(results)
    yield from _against_loops(results)
    for number in FEW:
        figures = results[polite(number)]
        yield Verdict(f"{number} in flight, mean lag, s", figures.lag, 0.90)
        yield Verdict(f"{number} in flight, checks a task", figures.checks, 10.5)
    # Rounded, since sockets are not quite the same at every run.
    differ = round(abs(results[SOCKETS].throughput / results[Run()].throughput - 1), 3)
    yield Verdict("sockets and memory differ by", differ, 0.01)


def mean(results: Results, runs: Sequence[Run], name: str) -> float:
    """Return the mean of one figure over runs."""
    return fmean(getattr(results[run], name) for run in runs)


def _saturated(results: Results) -> Iterator[Verdict]:
    for name, scenario in SCENARIOS.items():
        floors, runs = scenario.floors, seeds(name, LEARNED)
        share = mean(results, runs, "share")
        yield Verdict(f"{name}, share of the oracle", share, floors.share, at_most=False)
        yield Verdict(f"{name}, mean lag, s", mean(results, runs, "lag"), floors.lag)
        if floors.p99_lag is not None:
            p99 = mean(results, runs, "p99_lag")
            yield Verdict(f"{name}, p99 of the lag, s", p99, floors.p99_lag)
        if floors.checks is not None:
            checks = mean(results, runs, "checks")
            yield Verdict(f"{name}, checks a task", checks, floors.checks)


def _far(results: Results) -> Iterator[Verdict]:
    for run in far_runs():
        there, here = results[run].throughput, results[evolve(run, round_trip=0.0)].throughput
        hopeful = ", optimistic" if run.contender == OPTIMISTIC else ""
        what = f"{run.scenario}{hopeful}, throughput at .3 s to that at 0"
        yield Verdict(what, there / here, 0.98, at_most=False)


def _optimistic(results: Results) -> Iterator[Verdict]:
    for name, scenario in SCENARIOS.items():
        runs, floor = seeds(name, OPTIMISTIC), scenario.floors.optimistic_share
        if floor is not None:
            share = mean(results, runs, "share")
            yield Verdict(f"{name}, optimistic, share", share, floor, at_most=False)
            refused = fmean(refused_share(results[run]) for run in runs)
            yield Verdict(f"{name}, optimistic, share refused", refused, 0.005)
    for seconds in LATE:
        hopeful, careful = results[late(OPTIMISTIC, seconds)], results[late(LEARNED, seconds)]
        ratio, what = hopeful.throughput / careful.throughput, f"places freed {seconds:g} s late"
        yield Verdict(f"{what}, optimistic to not", ratio, 0.97, at_most=False)
        yield Verdict(f"{what}, share refused", refused_share(hopeful), 0.01)


def refused_share(figures: Figures) -> float:
    """Return the share of requests refused for want of a place."""
    return figures.refused_for_places / figures.requests


def _refusals(results: Results) -> Iterator[Verdict]:
    ours = [run for run in results if run.contender in CLIENTS]
    rate = sum(results[run].refused_for_rate for run in ours)
    yield Verdict("requests refused for the rate, all runs of this client", rate, 0)
    careful = [run for run in ours if run.contender != OPTIMISTIC and not run.freed_late]
    places = sum(results[run].refused_for_places for run in careful)
    yield Verdict("requests refused for places, not optimistic", places, 0)


def _against_loops(results: Results) -> Iterator[Verdict]:
    ours = results[by_hand(LEARNED)].throughput
    for what, loop, floor in (
        ("paced", by_hand(f"{TABLE}, {PACED}"), 1.10),
        ("as documented, refused requests not counted", NOT_COUNTED, 1.2),
        ("as documented, counted", by_hand(f"{TABLE}, AsyncLimiter(10000, 60)"), 1.45),
    ):
        ratio = ours / results[loop].throughput
        yield Verdict(f"throughput to the vendor's table, {what}", ratio, floor, at_most=False)
