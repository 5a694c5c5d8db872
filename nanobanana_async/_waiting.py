"""A caller's wait: it can end early, by a time-out or by cancellation, and touches nobody else.

What leaving means depends on how far the generation has got. Not sent yet: it is withdrawn and
costs nothing. Sent: it is tracked to its end, for it may be paid for.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from nanobanana_async._dispatcher import Dispatcher
from nanobanana_async._errors import (
    NanoBananaError,
    QueueTimeoutError,
    SubmitUnknownError,
    TaskTimeoutError,
)
from nanobanana_async._generation import Generation
from nanobanana_async._submits import submit_unknown

__all__ = ["timed_out", "wait"]

T = TypeVar("T")


async def wait(
    future: asyncio.Future[T],
    generation: Generation,
    dispatcher: Dispatcher,
    timeout: float | None,  # noqa: ASYNC109 - the caller's own, with errors of its own
) -> T:
    """Await a future of `generation` for `timeout` seconds at most.

    Raises:
        QueueTimeoutError: the time was over before it was sent; withdrawn.
        SubmitUnknownError: likewise, but an earlier attempt may have been accepted.
        TaskTimeoutError: the time was over later; the caller adds the handle.
    """
    generation.waiters += 1
    try:
        async with asyncio.timeout(timeout) as scope:
            value = await asyncio.shield(future)
            generation.told |= future is generation.result
            return value
    except asyncio.CancelledError:
        generation.cancelled()
        dispatcher.leave(generation)
        raise
    except NanoBananaError:
        generation.told = True
        raise
    except TimeoutError:
        if not scope.expired():  # an error of the generation that is a TimeoutError, too
            raise
        if future.done() and not future.exception():  # both in the same turn of the loop
            generation.told |= future is generation.result
            return future.result()
        raise timed_out(generation, dispatcher, timeout) from None
    finally:
        generation.waiters -= 1
        generation.name_unawaited()
        # It refers to the caller's task, whose exception refers to this frame: the handle that a
        # caller held would live on until the collector comes, and count as wanted.
        del scope


def timed_out(
    generation: Generation, dispatcher: Dispatcher, timeout: float | None
) -> QueueTimeoutError | SubmitUnknownError | TaskTimeoutError:
    """Leave a generation whose time is over, and say what that means for it."""
    if dispatcher.leave(generation):
        generation.told = True
        if generation.lost is None:
            return QueueTimeoutError(f"Not sent within {timeout:g} s")
        return submit_unknown(generation, generation.lost)
    return TaskTimeoutError(f"Not finished within {timeout:g} s", task_id=generation.task_id)
