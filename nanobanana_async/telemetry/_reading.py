"""The statistics of a client, read from whatever thread.

Metrics are collected in a thread of the SDK's, and a client may be touched in its own event loop
only. So the loop is asked to read, and for a moment: one that is busy is no reason to hold up the
metrics of a whole program.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Final

from nanobanana_async._models import Statistics

__all__ = ["Reading"]

_PATIENCE: Final = 1.0
_FRESH: Final = 0.1
"""Seconds for which a reading serves the other instruments of the same collection."""


class Reading:
    """Reads one client. Created in its event loop."""

    def __init__(
        self, statistics: Callable[[], Statistics], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._statistics = statistics
        self._loop = loop
        self._lock = Lock()
        self._last = statistics()
        self._taken_at = loop.time()

    def read(self) -> Statistics:
        """Return the figures of about now; older ones where the loop does not answer."""
        if self._is_here():
            return self._statistics()
        with self._lock:
            if self._loop.time() - self._taken_at >= _FRESH:
                self._last = self._ask() or self._last
                self._taken_at = self._loop.time()
            return self._last

    def _is_here(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def _ask(self) -> Statistics | None:
        answer: Future[Statistics] = Future()

        def tell() -> None:
            try:
                answer.set_result(self._statistics())
            except BaseException as error:  # noqa: BLE001 - for whoever asks
                answer.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(tell)
            return answer.result(_PATIENCE)
        except (RuntimeError, TimeoutError):  # the loop is closed, or busy
            return None
