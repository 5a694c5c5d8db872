"""A life table of one class of tasks: how likely a running task is to end soon, by its age.

Each look that finds a task running has watched it survive from one age to the next; each task seen
finished ended at an exact age, which the API tells. Ends over watched seconds, bin by bin of age,
are the hazard. From it follows where looks are worth most (Keller: the best density of inspections
is proportional to the square root of the hazard; "Optimum checking schedules for systems subject to
random failure", 1974). Pure; ages are in seconds.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from math import log, sqrt
from typing import Final

from attrs import define, field

__all__ = ["BINS", "LifeTable"]

# Bins of age: up to .25 s, then each 1.15 times as far, to nearly nine hours; the last has no end.
_FIRST: Final = 0.25
_GROWTH: Final = 1.15
BINS: Final = 86
_EDGES: Final = (0.0, *(_FIRST * _GROWTH**power for power in range(BINS - 1)))
_WIDTHS: Final = tuple(after - before for before, after in pairwise(_EDGES))

_KEPT: Final = 1_000  # completions after which an observation counts for 1/e
_REBUILT_EVERY: Final = 32  # observations
_HEAVIEST: Final = 1e9  # weight of an observation at which all are scaled anew

# What is assumed before anything was seen, with the weight of a quarter of a task: that it takes
# as long again as it has taken already, 15 s at least.
_PRIOR: Final = 0.25
_PRIOR_LIFE: Final = 15.0


def _bin_of(age: float) -> int:
    # A negative age, a rounding of two clocks say, would be the last bin.
    return bisect_right(_EDGES, age) - 1 if age > 0 else 0


@define(eq=False, repr=False)
class LifeTable:
    """Learns from looks and answers what `LearnedSchedule` asks; old tasks count for less and less."""

    _ends: list[float] = field(factory=lambda: [0.0] * BINS)
    """Tasks that ended in each bin, in weights of `_weight`."""
    _exposure: list[float] = field(factory=lambda: [0.0] * BINS)
    """Seconds for which tasks were watched in each bin, in the same weights."""
    # Instead of making all that was seen lighter at each completion, new observations get heavier.
    # A table that was read may be heavier than any that was learned here: it fades as fast.
    _weight: float = field(init=False)
    _observed: int = field(default=0, init=False)
    """Observations since the clock was rebuilt."""
    _hazard: list[float] = field(init=False)
    """Ends a second in each bin."""
    _speed: list[float] = field(init=False)
    """Its square root: how fast the clock runs."""
    _clock: list[float] = field(init=False)
    """What the clock shows at the start of each bin."""
    _risk: list[float] = field(init=False)
    """The integral of the hazard from 0 to the start of each bin."""

    def __attrs_post_init__(self) -> None:
        self._weight = max(sum(self._ends) / _KEPT, 1.0)
        self._rebuild()

    @property
    def is_blank(self) -> bool:
        """True where nothing was seen."""
        return not (any(self._ends) or any(self._exposure))

    @property
    def ended_count(self) -> float:
        """Tasks seen to end, as far as they still count: about 1,000 at most."""
        return sum(self._ends) / self._weight

    def ran(self, since: float, until: float) -> None:
        """A task that ran at the age `since` was still running at the age `until`."""
        self._watched(since, until)
        self._note()

    def ended(self, since: float, age: float) -> None:
        """A task last seen running at the age `since` ended at `age`."""
        self._watched(since, age)
        self._ends[_bin_of(age)] += self._weight
        self._weight *= 1 + 1 / _KEPT
        self._note()

    def clock(self, age: float) -> float:
        """Return the integral of the square root of the hazard from 0 to `age`."""
        number = _bin_of(age)
        return self._clock[number] + (age - _EDGES[number]) * self._speed[number]

    def age_at(self, clock: float) -> float:
        """Return the age at which `clock` is reached: its inverse."""
        number = bisect_right(self._clock, clock) - 1
        return _EDGES[number] + (clock - self._clock[number]) / self._speed[number]

    def ended_by(self, age: float, share: float) -> float:
        """Return the age by which this share of the tasks that run at `age` have ended."""
        number = _bin_of(age)
        risk = self._risk[number] + (age - _EDGES[number]) * self._hazard[number]
        risk -= log(1 - share)
        number = bisect_right(self._risk, risk) - 1
        return _EDGES[number] + (risk - self._risk[number]) / self._hazard[number]

    def hazard(self, age: float) -> float:
        """Return the chance to end within the next second of a task that runs at `age`."""
        return self._hazard[_bin_of(age)]

    def quantile(self, share: float) -> float:
        """Return the age by which this share of tasks has ended; the age of the oldest at most.

        From what was seen alone (Nelson and Aalen's estimate): where few are left, what is assumed
        of a cold start would stretch the end by minutes.
        """
        left = -log(1 - share)
        oldest = 0.0
        for number in range(BINS - 1):
            ends, exposure = self._ends[number], self._exposure[number]
            if exposure > 0:
                oldest = _EDGES[number + 1]
                gone = ends / exposure * _WIDTHS[number]
                if gone >= left:
                    return _EDGES[number] + left / gone * _WIDTHS[number]
                left -= gone
        return oldest

    def export(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return ends and exposure by bin, as if nothing would be forgotten any more."""
        weight = self._weight
        return (
            tuple(round(number / weight, 3) for number in self._ends),
            tuple(round(seconds / weight, 3) for seconds in self._exposure),
        )

    def _watched(self, since: float, until: float) -> None:
        """Add the seconds from one age to another to the bins between."""
        if until <= since:
            return
        first, last = _bin_of(since), _bin_of(until)
        for number in range(first, last):
            self._exposure[number] += (_EDGES[number + 1] - since) * self._weight
            since = _EDGES[number + 1]
        self._exposure[last] += (until - since) * self._weight

    def _note(self) -> None:
        self._observed += 1
        if self._observed >= _REBUILT_EVERY:
            self._rebuild()

    def _rebuild(self) -> None:
        self._observed = 0
        if self._weight > _HEAVIEST:
            self._scale_down()
        raw = [self._hazard_in(number) for number in range(BINS)]
        padded = [raw[0], *raw, raw[-1]]
        self._hazard = [
            (before + 2 * here + after) / 4
            for before, here, after in zip(padded, raw, padded[2:], strict=False)
        ]
        self._speed = [sqrt(hazard) for hazard in self._hazard]
        steps = (speed * width for speed, width in zip(self._speed, _WIDTHS, strict=False))
        self._clock = list(accumulate(steps, initial=0.0))
        risks = (hazard * width for hazard, width in zip(self._hazard, _WIDTHS, strict=False))
        self._risk = list(accumulate(risks, initial=0.0))

    def _hazard_in(self, number: int) -> float:
        ends, exposure = self._ends[number] / self._weight, self._exposure[number] / self._weight
        return (ends + _PRIOR) / (exposure + _PRIOR * max(_PRIOR_LIFE, _EDGES[number]))

    def _scale_down(self) -> None:
        self._ends = [number / self._weight for number in self._ends]
        self._exposure = [seconds / self._weight for seconds in self._exposure]
        self._weight = 1.0
