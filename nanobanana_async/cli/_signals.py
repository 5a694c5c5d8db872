"""Ctrl-C and SIGTERM as something to wait for, so that `async with` blocks end in order."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from attrs import define

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


@define
class Pressed:
    """Signals as they come; none of them acts by itself."""

    first: asyncio.Future[signal.Signals]
    second: asyncio.Future[signal.Signals]


@contextmanager
def signals() -> Iterator[Pressed]:
    """Yield what tells of the first signal and of the second; more are not heeded.

    For work that ends within seconds of the second, and has to say what it leaves.
    """
    loop = asyncio.get_running_loop()
    pressed = Pressed(loop.create_future(), loop.create_future())

    def settle(number: int) -> None:
        for future in (pressed.first, pressed.second):
            if not future.done():
                future.set_result(signal.Signals(number))
                return

    def notice(number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(settle, number)

    before = {number: signal.signal(number, notice) for number in _SIGNALS}
    try:
        yield pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
