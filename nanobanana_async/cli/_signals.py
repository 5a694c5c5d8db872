"""Ctrl-C and SIGTERM as something to wait for, so that `async with` blocks end in order."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
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
    with heeded(lambda number: loop.call_soon_threadsafe(_settle, [caught], number), most=1):
        yield caught


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
    futures = [pressed.first, pressed.second]
    with heeded(lambda number: loop.call_soon_threadsafe(_settle, futures, number)):
        yield pressed


@contextmanager
def heeded(notice: Callable[[signal.Signals], object], most: int | None = None) -> Iterator[None]:
    """Call `notice` at each signal, in the handler; after `most` of them the next acts as before."""
    count = 0

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count == most:
            restore()
        notice(signal.Signals(number))

    # Not `loop.add_signal_handler`, which Windows does not have.
    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        with let_through():
            yield
    finally:
        restore()


@contextmanager
def postponed() -> Iterator[None]:
    """Have signals wait until something within heeds them, or until its end.

    For what must not be lost between two that heed them. Where a system cannot, they act as ever.
    """
    with _masked("SIG_BLOCK"):
        yield


@contextmanager
def let_through() -> Iterator[None]:
    """Have signals act, those that were postponed first."""
    with _masked("SIG_UNBLOCK"):
        yield


@contextmanager
def _masked(how: str) -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(getattr(signal, how), _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _settle(futures: list[asyncio.Future[signal.Signals]], number: signal.Signals) -> None:
    """Give a signal to the first of these that has none."""
    for future in futures:
        if not future.done():
            future.set_result(number)
            return
