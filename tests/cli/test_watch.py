"""Showing how some work goes on."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pytest

from nanobanana_async.cli.demo._progress import Snapshot
from nanobanana_async.cli.demo._watch import watch

from .test_figures import SNAPSHOT


class Recorder:
    """A display that remembers, and can act or raise when it is shown something."""

    interval = 0.0

    def __init__(self, on_show: Callable[[], object] = lambda: None) -> None:
        self.shown: list[Snapshot] = []
        self.on_show = on_show

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        self.shown.append(snapshot)
        self.on_show()

    def say(self, text: str) -> None: ...


class Work:
    """Goes on until `finish` is set, and knows how it ended."""

    def __init__(self) -> None:
        self.finish = asyncio.Event()
        self.ended = ""

    async def run(self) -> None:
        try:
            await self.finish.wait()
            self.ended = "finished"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


def future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


async def test_it_looks_until_the_work_is_done_and_once_more() -> None:
    def finish_at_the_third() -> None:
        if len(display.shown) == 3:
            work.finish.set()

    work, display = Work(), Recorder(finish_at_the_third)
    last = await watch(work.run(), future(), display, lambda: SNAPSHOT)
    assert work.ended == "finished"
    assert last is display.shown[-1]
    assert len(display.shown) > 3


async def test_it_stops_at_once_and_shows_nothing_more() -> None:
    work, stopped = Work(), future()
    display = Recorder(lambda: stopped.set_result(None))
    display.interval = 3600.0
    async with asyncio.timeout(5):
        await watch(work.run(), stopped, display, lambda: SNAPSHOT)
    assert (work.ended, len(display.shown)) == ("cancelled", 1)


async def test_an_error_of_the_work_is_raised() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await watch(fail(), future(), Recorder(), lambda: SNAPSHOT)


async def test_a_display_that_fails_ends_the_work() -> None:
    def broken() -> None:
        if len(display.shown) == 2:
            raise BrokenPipeError

    work, display = Work(), Recorder(broken)
    with pytest.raises(BrokenPipeError):
        await watch(work.run(), future(), display, lambda: SNAPSHOT)
    assert work.ended == "cancelled"
