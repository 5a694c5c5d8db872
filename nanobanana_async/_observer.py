"""What somebody who watches a client is told: the one door for telemetry.

An observer is somebody else's code, called in the middle of ours. So it is only ever called through
a `Watch`: what a hook raises is logged once and changes nothing. All hooks run in the client's event
loop, in the step in which it happened; none may block.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from attrs import define, field

from nanobanana_async._lifecycle import State
from nanobanana_async._models import Statistics

__all__ = ["Facts", "Observation", "Observer", "Trace", "Watch"]

_logger = logging.getLogger("nanobanana_async")

T = TypeVar("T")


class Facts(Protocol):
    """What may be told of a generation, as known so far. Neither its prompt nor anything secret."""

    @property
    def model(self) -> str: ...
    @property
    def bulk(self) -> bool: ...
    @property
    def state(self) -> State: ...
    @property
    def task_id(self) -> str | None: ...
    @property
    def checks(self) -> int: ...
    @property
    def lag(self) -> float | None: ...


class Observation(Protocol):
    """One generation, or one download, that is watched."""

    def moved(self, state: State) -> None:
        """It is in another state now."""

    def ended(self, error: BaseException | None) -> None:
        """It is over; nothing more is told of it."""


class Observer(Protocol):
    """Watches clients."""

    def opened(self, statistics: Callable[[], Statistics]) -> Callable[[], None]:
        """A client is open. Return what is to be called when it is closed.

        `statistics` may be called until then, in the client's event loop only.
        """

    def caller(self) -> object:
        """Return whatever tells who calls now, for generations that are begun later."""

    def began(self, facts: Facts, caller: object) -> Observation:
        """A generation was called for by `caller`."""

    def downloading(self, task_id: str) -> Observation:
        """A picture of a task is being downloaded."""


@define(eq=False, repr=False)
class Watch:
    """An observer that cannot disturb."""

    _observer: Observer
    _failed: bool = field(default=False, init=False)
    _closed: Callable[[], None] | None = field(default=None, init=False)

    def opened(self, statistics: Callable[[], Statistics]) -> None:
        self._closed = self.ask(lambda: self._observer.opened(statistics))

    def closed(self) -> None:
        if self._closed is not None:
            self.ask(self._closed)
            self._closed = None

    def caller(self) -> object:
        return self.ask(self._observer.caller)

    def began(self, facts: Facts, caller: object = None) -> Trace | None:
        """Return what to tell of a generation; None where the observer has failed."""
        by = self.caller() if caller is None else caller
        observation = self.ask(lambda: self._observer.began(facts, by))
        return None if observation is None else Trace(self, observation)

    async def download(self, task_id: str, work: Awaitable[T]) -> T:
        """Await a download of a task's picture, watched."""
        observation = self.ask(lambda: self._observer.downloading(task_id))
        trace = None if observation is None else Trace(self, observation)
        try:
            done = await work
        except BaseException as error:
            if trace is not None:
                trace.ended(error)
            raise
        if trace is not None:
            trace.ended(None)
        return done

    def ask(self, hook: Callable[[], T]) -> T | None:
        """Call a hook; None where it raises."""
        try:
            return hook()
        except Exception:
            if not self._failed:
                self._failed = True
                _logger.exception("The telemetry failed; later failures of it are not logged")
            return None


@define(eq=False, repr=False)
class Trace:
    """An observation that cannot disturb."""

    _watch: Watch
    _observation: Observation

    def moved(self, state: State) -> None:
        self._watch.ask(lambda: self._observation.moved(state))

    def ended(self, error: BaseException | None) -> None:
        self._watch.ask(lambda: self._observation.ended(error))
