"""The number of requests a minute that the API really lets in, learned from its refusals.

Where the account's limit is in force, nothing is ever refused. It may not be: somebody else uses
the same key, or the limit was lowered. A single 429 is taken as an accident, or every one in fifty
would strangle the client. Only when several probes in a row were refused is the number cut, once an
episode. It grows again slowly: 5 a second, so that it comes back from half in about 17 minutes.
Pure: the time is handed in.
"""

from __future__ import annotations

from typing import Final

from attrs import define, field

__all__ = ["LearnedRate"]

_GROWTH: Final = 5.0  # requests a minute, each second
_LEAST: Final = 2.0


@define
class LearnedRate:
    """At most `configured` requests a minute."""

    configured: int
    _number: float = field(init=False)
    _known_at: float = field(default=0.0, init=False)
    _frozen: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._number = float(self.configured)

    def in_force(self, now: float) -> int:
        """Return the number of requests a minute to keep to now."""
        if not self._frozen:
            grown = self._number + _GROWTH * (now - self._known_at)
            self._number = min(grown, float(self.configured))
        self._known_at = now
        return int(self._number)

    def freeze(self, now: float) -> None:
        """The rate is in doubt: the number does not grow until `thaw`."""
        self.in_force(now)
        self._frozen = True

    def thaw(self, now: float) -> None:
        self.in_force(now)
        self._frozen = False

    def cut(self, let_in: int) -> None:
        """Come down to what the API let in over the last minute, at most by half."""
        half = max(self._number / 2, _LEAST)
        self._number = min(self._number, max(float(let_in), half))
