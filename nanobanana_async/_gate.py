"""A gate that trouble closes and one good answer opens again.

Thousands of callers must not find out one by one that the network is gone. So the first failure
closes a gate for all of them; from then on one request at a time, a probe, is let through, ever
less often, until one comes back well. Pure: the time is handed in.
"""

from __future__ import annotations

from itertools import count
from math import inf
from random import Random

from attrs import define, field

from nanobanana_async._retry import Backoff

__all__ = ["Gate"]


@define(eq=False, repr=False)
class Gate:
    """Open: everything passes. Closed: one probe at a time, each after a longer wait."""

    _backoff: Backoff
    _random: Random
    closed_at: float | None = field(default=None, init=False)
    """Since when it has been closed; None while it is open."""
    _failures: int = field(default=0, init=False)
    _opens_at: float = field(default=-inf, init=False)
    _probe: int = field(default=0, init=False)
    """Number of the probe under way; 0 where there is none."""
    _numbers: count[int] = field(factory=lambda: count(1), init=False)

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def failures(self) -> int:
        """Probes in a row that met the same trouble, and closings without a wait of their own."""
        return self._failures

    @property
    def opens_at(self) -> float:
        """From when a request may pass: -inf while open, inf while a probe is under way."""
        return inf if self._probe else self._opens_at

    def close(self, now: float, wait: float | None = None) -> None:
        """Close for `wait` seconds (None: the backoff's first). A closed gate waits the longer."""
        if self.closed_at is None:
            self.closed_at = now
            wait = self._next_wait() if wait is None else wait
        self._opens_at = max(self._opens_at, now + (wait or 0.0))

    def enter(self) -> int:
        """Let one request through. Not 0: it is the probe of this number, to be reported on."""
        self._probe = 0 if self.is_open else next(self._numbers)
        return self._probe

    def probe_failed(self, probe: int, now: float, wait: float | None = None) -> None:
        """The probe met the same trouble: wait longer, or as long as was asked for."""
        if self._ends(probe):
            self._opens_at = now + max(self._next_wait(), wait or 0.0)

    def probe_told_nothing(self, probe: int, now: float) -> None:
        """The probe failed for another reason: the next one goes out after the same wait."""
        if self._ends(probe):
            self._opens_at = now + self._backoff.delay(max(self._failures, 1), self._random)

    def hasten(self, at: float) -> None:
        """Let the next probe out at `at`, if it would be later."""
        self._opens_at = min(self._opens_at, at)

    def open(self) -> None:
        self.closed_at = None
        self._failures = 0
        self._opens_at = -inf
        self._probe = 0

    def _ends(self, probe: int) -> bool:
        # Something older may have come back well and opened the gate while a probe was under way.
        # Its late report says nothing any more, and it may not let a second probe out.
        if probe == 0 or probe != self._probe:
            return False
        self._probe = 0
        return True

    def _next_wait(self) -> float:
        self._failures += 1
        return self._backoff.delay(self._failures, self._random)
