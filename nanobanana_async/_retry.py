"""How long to wait before the next try. Pure: randomness is handed in."""

from __future__ import annotations

from random import Random

from attrs import frozen

__all__ = ["Backoff"]


@frozen
class Backoff:
    """Delays that double from `first` to `most` seconds, each off by at most `jitter` of itself."""

    first: float
    most: float
    jitter: float = 0.0

    def delay(self, failures: int, random: Random) -> float:
        """Return the wait in seconds after that many failures in a row, 1 or more."""
        doubled = min(self.first * 2.0 ** min(failures - 1, 64), self.most)
        return doubled * (1 + self.jitter * (2 * random.random() - 1))
