"""An event loop whose clock jumps: hours of polling in seconds, the same at every run.

When nothing is ready to run, time moves on to the next timer at once. Everything that goes by the
loop's clock (sleeps, time-outs, aiolimiter, this library) follows.
"""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, Final, TypeVar

__all__ = ["StalledError", "VirtualTimeLoop", "run_virtual"]

_STEP: Final = 1e-7
_LOOKS: Final = 3
_PATIENCE: Final = 5.0

T = TypeVar("T")


class StalledError(RuntimeError):
    """Everything waits, and no timer or socket will ever wake anything up."""


class _JumpingSelector(selectors.BaseSelector):
    """Looks at the sockets a few times; where they are quiet, moves the clock instead of waiting."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # aiolimiter asks the clock whether its time has come and spins for ever on one that stands
        # still, a rounding error before it; so each step takes a little time, as in reality.
        self.now += _STEP
        looks = 1 if self.alone else _LOOKS
        for _ in range(looks):
            events = self._selector.select(0)
            if events or timeout == 0:
                return events
        if timeout is not None:
            self.now += timeout
            return []
        # No timer at all: only a socket, or another thread, can bring anything new.
        events = self._selector.select(0 if self.alone else _PATIENCE)
        if not events:
            raise StalledError("Every task waits for something that will never happen")
        return events

    @property
    def alone(self) -> bool:
        """True where the loop's own wake-up pipe is all that is watched."""
        return len(self._selector.get_map()) <= 1

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._selector.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._selector.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._selector.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._selector.get_map()

    def close(self) -> None:
        self._selector.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that starts at time 0 and never waits.

    No threads in a run: work of 20 ms in one costs minutes of this loop's time. Sockets work, at
    about half a millisecond of real time a request.
    """

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._clock.now


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in virtual time to its end and return what it returns, or raise what it raises.

    Raises:
        StalledError: it would have hung for ever.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
