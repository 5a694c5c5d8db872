"""A run that went home for the night: long times without a result are cut out of the time axis."""

from array import array
from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import Final

from attrs import frozen

_SHORTEST: Final = 600.0


@frozen
class Pause:
    """A time that was cut out: where on the shortened axis, and how long it was."""

    at: float
    length: float


@frozen
class Shortened:
    """Times since the first one, without the pauses."""

    times: "array[float]"
    pauses: list[Pause]

    @property
    def span(self) -> float:
        """From the first to the last; a second at least, so that a rate can be told."""
        return max(1.0, self.times[-1])


def shortened(moments: Iterable[float]) -> Shortened:
    """Cut out what is longer than ten minutes and far longer than usual."""
    ordered = sorted(moments)
    gaps = [later - earlier for earlier, later in pairwise(ordered)]
    longest = max(_SHORTEST, 20 * median(gaps)) if gaps else _SHORTEST
    times, pauses, cut = array("d", [0.0]), [], ordered[0]
    for moment, gap in zip(ordered[1:], gaps, strict=True):
        if gap > longest:
            pauses.append(Pause(moment - gap - cut, gap))
            cut += gap
        times.append(moment - cut)
    return Shortened(times, pauses)
