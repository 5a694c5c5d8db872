"""Shows how some work goes on until it is done, or until somebody wants it to stop."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from nanobanana_async.cli._display import Display
from nanobanana_async.cli.demo._progress import Snapshot


async def watch(
    work: Coroutine[Any, Any, None],
    stopped: asyncio.Future[Any],
    display: Display[Snapshot],
    look: Callable[[], Snapshot],
) -> Snapshot:
    """Return the last look when `work` is done, or cancelled because `stopped` is."""
    task = asyncio.create_task(work)
    try:
        while not (task.done() or stopped.done()):
            display.show(look())
            await asyncio.wait(
                {task, stopped}, timeout=display.interval, return_when=asyncio.FIRST_COMPLETED
            )
    finally:
        task.cancel()
        await asyncio.wait([task])
    last = look()
    if not task.cancelled():
        task.result()
        display.show(last)
    return last
