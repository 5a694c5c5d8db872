"""What a client counts while it works; memory does not grow with what was done."""

from __future__ import annotations

from collections import Counter, deque

from attrs import define, field

__all__ = ["Counters"]

_MINUTE = 60.0
_REMEMBERED = 200
"""Ends that count in the mean service time; older ones fade."""


@define(eq=False, repr=False)
class Counters:
    """Running figures behind `Statistics`."""

    opened_at: float
    requests: Counter[str] = field(factory=Counter)
    """Requests sent, by kind."""
    refusals: int = 0
    accepted: int = 0
    succeeded: int = 0
    failed: int = 0
    unknown: int = 0
    found: int = 0
    paid_twice: int = 0
    deliveries: int = 0
    deliveries_refused: int = 0
    _checks_of_finished: int = 0
    _lags: int = 0
    _lag_sum: float = 0.0
    _services: int = 0
    mean_service_time: float = 0.0
    """Seconds; 0 before the first."""
    _completions: deque[float] = field(factory=deque)

    def finished(
        self, now: float, checks: int, lag: float | None, service_time: float | None = None
    ) -> None:
        """Count a task seen finished; lag and service time in seconds, None where not known."""
        self._checks_of_finished += checks
        self._completions.append(now)
        self._forget(now)
        if lag is not None:
            self._lags += 1
            self._lag_sum += lag
        if service_time is not None:
            self._services = min(self._services + 1, _REMEMBERED)
            self.mean_service_time += (service_time - self.mean_service_time) / self._services

    @property
    def checks_per_task(self) -> float:
        return self._checks_of_finished / max(self.succeeded + self.failed, 1)

    @property
    def mean_lag(self) -> float:
        return self._lag_sum / max(self._lags, 1)

    def completions_per_second(self, now: float) -> float:
        self._forget(now)
        span = min(now - self.opened_at, _MINUTE)
        return len(self._completions) / span if span > 0 else 0.0

    def _forget(self, now: float) -> None:
        while self._completions and self._completions[0] <= now - _MINUTE:
            self._completions.popleft()
