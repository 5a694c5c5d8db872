"""The limit of requests a minute.

The vendor does not say how the minute is counted, so there are three ways, each with or without
the refused requests. The limit may change over time.
"""

from typing import Final, Protocol

from nanobanana_async.emulator._limits import requests_over_time
from nanobanana_async.emulator._settings import Settings
from nanobanana_async.emulator._steps import Steps
from nanobanana_async.emulator._windows import MINUTE, FixedWindow, SlidingWindow, Window


class RateLimit(Protocol):
    """Lets requests in, or not."""

    def admit(self, now: float) -> bool:
        """Count a request and say whether it is let in."""


class WindowLimit:
    """At most `limit` in a window."""

    def __init__(self, window: Window, limit: Steps[int], *, count_refused: bool) -> None:
        """Begin with an empty window."""
        self._window = window
        self._limit = limit
        self._count_refused = count_refused

    def admit(self, now: float) -> bool:
        """Count a request and say whether it is let in."""
        admitted = self._window.count(now) < self._limit.at(now)
        if admitted or self._count_refused:
            self._window.add(now)
        return admitted


class BucketLimit:
    """A token bucket of `limit` tokens that fills in a minute; a lower limit spills the rest."""

    # Refills are sums of fractions; their rounding must not refuse who waited long enough.
    _ROUNDING: Final = 1e-6

    def __init__(self, limit: Steps[int], *, count_refused: bool) -> None:
        """Begin full."""
        self._limit = limit
        self._count_refused = count_refused
        self._level = float(limit.at(0.0))
        self._filled_at = 0.0

    def admit(self, now: float) -> bool:
        """Take a token; a refused request takes what fraction is left, where it counts."""
        for seconds, limit in self._limit.pieces(self._filled_at, now):
            self._level = min(limit, self._level + seconds * limit / MINUTE)
        self._filled_at = now
        admitted = self._level >= 1 - self._ROUNDING
        if admitted or self._count_refused:
            self._level = max(0.0, self._level - 1)
        return admitted


def rate_limit(settings: Settings) -> RateLimit:
    """Build the limit that the settings ask for."""
    limit = requests_over_time(settings.requests_per_minute, settings.limit_changes)
    count_refused = settings.count_refused
    if settings.window == "bucket":
        return BucketLimit(limit, count_refused=count_refused)
    fixed = settings.window == "fixed"
    window: Window = FixedWindow(settings.window_offset) if fixed else SlidingWindow()
    return WindowLimit(window, limit, count_refused=count_refused)
