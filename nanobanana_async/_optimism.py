"""Submits beyond the slots that are known to be free, where the user allows them.

The API frees a place when a task ends; the client sees that only at its next look. Sending a few
submits more than there are free slots turns this lag from lost throughput into mere latency. How
many is learned: one more for each acceptance while all slots are held, fewer after a refusal. Where
places are not free at once when tasks end, every one is refused, and trying dies down. Pure: the
time is handed in.
"""

from __future__ import annotations

from math import inf
from random import Random
from typing import Final

from attrs import define, field

from nanobanana_async._retry import Backoff

__all__ = ["Optimism"]

_SHARE: Final = 0.3  # of the slots, at most
_SLOWER_FROM: Final = 8.0
_WARY: Final = 0.5  # of the growth, once refused: half as many refusals, .2 % less throughput
_LEFT: Final = 0.9  # of the room, after a refusal
_AGAIN: Final = Backoff(1.0, 64.0)


@define(eq=False, repr=False)
class Optimism:
    """How many submits may go beyond `limit` slots."""

    limit: int
    enabled: bool
    _random: Random
    _room: float = field(default=0.0, init=False)
    _opens_at: float = field(default=-inf, init=False)
    """From when one may go beyond; a refusal pauses it."""
    _refusals: int = field(default=0, init=False)
    """In a row."""
    _wary: bool = field(default=False, init=False)
    """Whether any was ever refused."""
    _beyond: set[object] = field(factory=set, init=False)
    """Whose submits are under way beyond the limit."""

    @property
    def most(self) -> int:
        """The most that `room` can be."""
        return int(_SHARE * self.limit) if self.enabled else 0

    @property
    def room(self) -> int:
        """Slots beyond the limit that may be taken."""
        return int(self._room) if self.enabled else 0

    def free_at(self, beyond: int) -> float:
        """From when a submit may go where so many are beyond: inf while something must happen first.

        After a refusal one goes alone, or those sent together are refused together.
        """
        alone = self._refusals > 0 and self._beyond
        return inf if alone or beyond >= self.room else self._opens_at

    def resize(self, limit: int, *, enabled: bool) -> None:
        """There is another limit now; under a lower one all room is to be learned anew."""
        if limit < self.limit:
            self._room = 0.0
        self.limit, self.enabled = limit, enabled

    def take(self, holder: object) -> None:
        """The submit of `holder` goes beyond the limit."""
        self._beyond.add(holder)

    def accepted(self, holder: object, *, full: bool) -> None:
        """The submit of `holder` was accepted; `full` where no slot is known to be free now."""
        if holder in self._beyond:
            self._beyond.remove(holder)
            self._refusals = 0
            speed = _WARY if self._wary else 1.0
            self._grow(speed * _SLOWER_FROM / max(_SLOWER_FROM, self._room))
        elif full:
            self._grow(1.0)

    def refused(self, holder: object, now: float, wait: float) -> bool:
        """True where the refused submit of `holder` was one beyond: then there was no place.

        Several that were under way together are one refusal. `wait` is what the API asked for in
        seconds, 0 where it did not.
        """
        if holder not in self._beyond:
            return False
        if now >= self._opens_at:
            self._room *= _LEFT
            self._wary = True
            self._refusals += 1
            pause = _AGAIN.delay(self._refusals, self._random)
            self._opens_at = now + max(pause, wait)
        return True

    def forget(self, holder: object) -> None:
        """The submit of `holder` is over, in whatever way."""
        self._beyond.discard(holder)

    def _grow(self, by: float) -> None:
        self._room = min(self._room + by, float(self.most))
