"""Ctrl-C and SIGTERM as something to wait for, so that `async with` blocks end in order."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def first_signal() -> Iterator[asyncio.Future[signal.Signals]]:
    """Yield a future of the first signal; the second one acts as if nobody listened."""
    loop = asyncio.get_running_loop()
    caught: asyncio.Future[signal.Signals] = loop.create_future()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def settle(number: int) -> None:
        if not caught.done():
            caught.set_result(signal.Signals(number))

    def notice(number: int, _: FrameType | None) -> None:
        restore()
        loop.call_soon_threadsafe(settle, number)

    # Not `loop.add_signal_handler`, which Windows does not have.
    before = {number: signal.signal(number, notice) for number in _SIGNALS}
    try:
        yield caught
    finally:
        restore()
