"""How long tasks take, and what has to be reached there."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Final

from attrs import define, field, frozen

from nanobanana_async.emulator import (
    ByResolution,
    FailFast,
    LogNormal,
    Mixture,
    Service,
    ServiceModel,
    Stuck,
)

__all__ = ["SCENARIOS", "TYPICAL", "Floors", "Scenario"]


@frozen(kw_only=True)
class Floors:
    """What the mean of the seeds has to reach; None is no matter. Times in seconds."""

    share: float
    """Throughput as a share of the oracle's, at least."""
    lag: float
    """Mean, at most."""
    p99_lag: float | None = None
    checks: float | None = None
    """Status checks a task, at most."""
    optimistic_share: float | None = None


@frozen(kw_only=True)
class Scenario:
    """A saturated run: all tasks are there from the start."""

    name: str
    service: Callable[[int], ServiceModel]
    """Called anew for each run, with the number of tasks: some models count."""
    floors: Floors
    tasks: int = 20_000
    warm_up: float = 0.15
    """Share of the submits before throughput is measured."""
    settled_lag: bool = False
    """Whether lags count from then on only."""
    resolutions: tuple[str, ...] = ("1K",)
    """The requests' own, in turn."""
    mean: float | None = None
    """E[S] in seconds; None where service times change meanwhile."""


def mean_of(median: float, sigma: float) -> float:
    """Return the mean of a lognormal service time."""
    return median * math.exp(sigma**2 / 2)


def log_normal(median: float, sigma: float, floors: Floors) -> Scenario:
    return Scenario(
        name=f"LN({median:g}, {sigma:g})",
        service=lambda _: LogNormal(median, sigma),
        floors=floors,
        mean=mean_of(median, sigma),
    )


@define
class Slowing:
    """From the middle of the run on, tasks take another time."""

    tasks: int
    first: ServiceModel
    then: ServiceModel
    _drawn: int = field(default=0, init=False)

    def draw(self, rng: Random, resolution: str) -> Service:
        self._drawn += 1
        model = self.first if self._drawn <= self.tasks // 2 else self.then
        return model.draw(rng, resolution)


def _by_size(_: int) -> ServiceModel:
    return ByResolution(
        {"1K": LogNormal(10.0, 0.3), "2K": LogNormal(20.0, 0.3), "4K": LogNormal(40.0, 0.3)}
    )


def _with_stuck_ones(_: int) -> ServiceModel:
    return Mixture([0.02, 0.03, 0.95], [Stuck(600.0), FailFast(0.5), LogNormal(15.0, 0.6)])


def _slowing(tasks: int) -> ServiceModel:
    return Slowing(tasks, LogNormal(15.0, 0.6), LogNormal(30.0, 0.6))


TYPICAL: Final = "LN(15, 0.6)"
HALVES: Final = "half 1K at 10 s, half 4K at 40 s"

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        log_normal(8, 0.6, Floors(share=0.82, lag=4.8, checks=1.6, optimistic_share=0.895)),
        log_normal(15, 0.3, Floors(share=0.855, lag=2.6, checks=2.25)),
        log_normal(
            15, 0.6, Floors(share=0.83, lag=3.5, p99_lag=8.5, checks=2.9, optimistic_share=0.965)
        ),
        log_normal(30, 0.6, Floors(share=0.915, lag=3.0, checks=5.9, optimistic_share=0.98)),
        log_normal(60, 0.6, Floors(share=0.955, lag=2.9, checks=12, optimistic_share=0.98)),
        Scenario(
            name=HALVES,
            service=_by_size,
            resolutions=("1K", "4K"),
            floors=Floors(share=0.925, lag=2.3),
            mean=(mean_of(10, 0.3) + mean_of(40, 0.3)) / 2,
        ),
        Scenario(
            name="2 % stuck, 3 % failing",
            service=_with_stuck_ones,
            tasks=40_000,
            warm_up=0.6,
            settled_lag=True,
            floors=Floors(share=0.90, lag=2.6),
            mean=0.02 * 600 + 0.03 * 0.5 + 0.95 * mean_of(15, 0.6),
        ),
        Scenario(
            name="median doubles from 15 s",
            service=_slowing,
            floors=Floors(share=0.875, lag=3.4),
        ),
    )
}
