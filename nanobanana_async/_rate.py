"""The number of requests a minute that the API really lets in, learned from its refusals.

Where the account's limit is in force, nothing is ever refused. It may not be: somebody else uses
the same key, or the limit was lowered. A single 429 is taken as an accident, or every one in fifty
would strangle the client. Only when several probes in a row were refused is the number cut, once an
episode. It grows again by one a second after a refusal, and the faster the longer none came, up to
ten: near the API's number a client meets it seldom, and comes back from half in ten minutes.
(Growing by a constant 5 a second cost twice as many refusals where the limit stayed at half.)
Pure: the time is handed in.
"""

from __future__ import annotations

from math import inf
from typing import Final

from attrs import define, field

__all__ = ["LearnedRate"]

_SLOW: Final = 20.0  # seconds since the last refusal in which it grows by one a second
_FAST: Final = 200.0  # from then on by ten a second
_MEASURED_AT: Final = 10_000  # requests a minute; it grows in proportion for other limits
_LEAST: Final = 2.0


@define(eq=False, repr=False)
class LearnedRate:
    """At most `configured` requests a minute."""

    configured: int
    _number: float = field(default=inf, init=False)
    """What was learned; inf where nothing was, or it has grown back to `_cut_from`."""
    _cut_from: int = field(default=0, init=False)
    """The limit at the time of the last cut."""
    _known_at: float = field(default=0.0, init=False)
    _refused_at: float = field(default=0.0, init=False)
    _frozen: bool = field(default=False, init=False)

    def configure(self, number: int) -> None:
        """Another limit from now on; a lower number that was learned stays in force."""
        self.configured = number

    def in_force(self, now: float) -> int:
        """Return the number of requests a minute to keep to now."""
        if not self._frozen and self._number < inf:
            calm = self._known_at - self._refused_at
            grown = _growth(now - self._refused_at) - _growth(calm)
            grown *= self.configured / _MEASURED_AT
            self._number += grown
            if self._number >= self._cut_from:
                self._number = inf
        self._known_at = now
        return int(min(self._number, self.configured))

    def refused(self, now: float) -> None:
        """The rate is in doubt: the number does not grow until `thaw`."""
        self.in_force(now)
        self._refused_at = now
        self._frozen = True

    def thaw(self, now: float) -> None:
        self.in_force(now)
        self._frozen = False

    def cut(self, let_in: int) -> None:
        """Come down to what the API let in over the last minute, at most by half."""
        number = min(self._number, float(self.configured))
        if self._number == inf:
            self._cut_from = self.configured
        self._number = min(number, max(float(let_in), number / 2, _LEAST))

    def ease(self, by: int) -> None:
        """It had been cut before and has grown too far: go back by so much, a tenth at most.

        With a round trip, all that is under way when the minute is full is refused; without this
        step back that happened again every 20 s.
        """
        if self._number < self.configured:
            self._number = max(self._number - by, 0.9 * self._number, _LEAST)


def _growth(calm: float) -> float:
    """Return by how much the number grows in `calm` seconds without a refusal.

    The integral of a speed of calm / 20, from 1 to 10 requests a minute each second.
    """
    if calm <= _SLOW:
        return calm
    if calm <= _FAST:
        return _SLOW + (calm**2 - _SLOW**2) / (2 * _SLOW)
    return _growth(_FAST) + (calm - _FAST) * _FAST / _SLOW
