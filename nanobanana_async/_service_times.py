"""How long generations take, by class: what an unknown submit's slot is held for hangs on it."""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

from attrs import define, field

__all__ = ["ServiceClass", "ServiceTimes"]

ServiceClass: TypeAlias = tuple[str, str | None, str | None, str | None]
"""Model, mode, resolution and provider."""

_ENOUGH: Final = 200
_KEPT: Final = 1_000
_CLASSES: Final = 100
_SLOW: Final = 0.99


@define
class ServiceTimes:
    """The last service times seen, in seconds, a thousand a class at most."""

    _times: dict[ServiceClass, deque[float]] = field(factory=dict, init=False)

    def observe(self, of: ServiceClass, seconds: float) -> None:
        """Take note of a task that succeeded."""
        times = self._times.get(of)
        if times is None:
            if len(self._times) >= _CLASSES:
                return
            times = self._times[of] = deque(maxlen=_KEPT)
        times.append(seconds)

    def slow(self, of: ServiceClass) -> float | None:
        """Return the time that 99 of 100 take at most; None before 200 were seen."""
        times = self._times.get(of, ())
        if len(times) < _ENOUGH:
            return None
        return sorted(times)[int(_SLOW * len(times))]
