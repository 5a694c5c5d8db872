"""The handle of one task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any, Final, cast

from nanobanana_async._attempts import Attempts
from nanobanana_async._changes import Changes, tells
from nanobanana_async._dispatcher import Dispatcher
from nanobanana_async._errors import TaskTimeoutError
from nanobanana_async._generation import Generation
from nanobanana_async._lifecycle import State
from nanobanana_async._models import ImageRequest, ImageResult, TaskStatus
from nanobanana_async._tracker import Tracker
from nanobanana_async._waiting import wait

__all__ = ["Task"]

_FRESH: Final = 0.5


class Task:
    """One generation at the API. ``await task`` is ``await task.result()``.

    Any number of callers may wait for it; one that is cancelled or times out disturbs no other.
    `NanoBananaClient.submit` makes it, and `NanoBananaClient.task` of an id.
    """

    def __init__(
        self,
        generation: Generation,
        dispatcher: Dispatcher,
        tracker: Tracker,
        attempts: Attempts,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._generation = generation
        self._dispatcher = dispatcher
        self._tracker = tracker
        self._attempts = attempts
        self._loop = loop

    def __repr__(self) -> str:
        return f"<Task {self.id or 'without an id yet'} {self._generation.state.value}>"

    @property
    def id(self) -> str | None:
        """The API's id; None only while the submit is not answered yet."""
        return self._generation.task_id

    @property
    def request(self) -> ImageRequest | None:
        """The request as it was submitted; None for a task picked up by its id."""
        return self._generation.request

    def __await__(self) -> Generator[Any, None, ImageResult]:
        """Wait for the end of the task, as `result` does."""
        return self.result().__await__()

    async def result(self, timeout: float | None = None) -> ImageResult:  # noqa: ASYNC109
        """Wait for the end of the task, for `timeout` seconds at most (None: as long as it takes).

        Cancelling this call ends this wait alone; the task is tracked on. Only where it has no id
        yet, and its submit stands in line again, the last one to leave withdraws it.

        Raises:
            TaskTimeoutError: the time is over, the task goes on.
            TaskFailedError: the API reports that it failed.
            TaskError: one of the other ends a task can have.
            PermissionDeniedError: the API does not let the task be looked at.
            ClientClosedError: the client was closed meanwhile.
            NanoBananaError: what else stopped the client; or, of a task without an id, what became
                of its submit: see `NanoBananaClient.submit`.
        """
        self._track()
        generation = self._generation
        try:
            return await wait(generation.result, generation, self._dispatcher, timeout)
        except TaskTimeoutError as error:
            error.task = self
            raise

    async def status(self) -> TaskStatus:
        """Look at the task now; takes a request of the budget.

        Joins a look that is under way, and is answered from one younger than 0.5 s. A finished
        task answers without a request. Cancelled, the look is made all the same; otherwise as
        `result`.

        Raises:
            TaskError: it ended without a last status, such as `TaskNotFoundError`.
            RateLimitError: refused for 30 s on end.
            APIStatusError, ServerError: no useful answer for 30 s.
            APIConnectionError: no connection for `connect_patience`, or no whole answer for 30 s.
            ClientClosedError: the client was closed meanwhile.
            NanoBananaError: as `result`.
        """
        self._track()
        generation = self._generation
        if generation.task_id is None and not generation.result.done():
            await self._accepted()
        status, seen_at = generation.status, generation.seen_at
        if generation.result.done():
            return await self._last_status()
        if status and seen_at is not None and self._loop.time() - seen_at < _FRESH:
            return status
        looker: asyncio.Future[TaskStatus] = self._loop.create_future()
        generation.lookers.append((self._loop.time(), looker))
        self._dispatcher.look(generation)
        return self._told(await looker)

    async def events(self) -> AsyncIterator[TaskStatus]:
        """Iterate over the states of the task: the last one seen, then each new one, to the end.

        Takes no requests of its own: states come from the looks that the client makes anyway. Any
        number of listeners; each sees every state, a slow one holds nobody up. The last status is
        a finished one, ``failed`` too. Leaving early, or cancelling, ends this listening alone.

        Raises:
            TaskError, ClientClosedError, NanoBananaError: as `result`, but for a failure, which is
                a state.
        """
        self._track()
        generation = self._generation
        if generation.result.done():
            yield await self._last_status()
            return
        if generation.changes is None:
            generation.changes = Changes(generation.status)
        generation.waiters += 1
        try:
            async for status in generation.changes.read():
                yield self._told(status)
        finally:
            generation.waiters -= 1

    def acknowledge(self) -> None:
        """Note in the journal that what became of it is in a safe place: `resume` leaves it out.

        It is on the disk within a moment, at the latest when the client is closed; does nothing
        without a journal. After a crash in that moment, `resume` hands it out again.

        Raises:
            JournalError: the client is closed, or the journal cannot be written.
        """
        self._attempts.acknowledge(self._generation.attempts)

    async def _last_status(self) -> TaskStatus:
        """Return how the task was seen to end, or raise what it ended with."""
        status = self._generation.status
        if status is None or not (status.finished and tells(status)):
            await asyncio.shield(self._generation.result)
        return self._told(cast("TaskStatus", status))

    def _told(self, status: TaskStatus) -> TaskStatus:
        """Who was given a last status knows the end: it need not be named."""
        self._generation.told |= self._generation.result.done() and tells(status)
        return status

    async def _accepted(self) -> None:
        generation = self._generation
        if generation.accepted is None:
            generation.accepted = self._loop.create_future()
        await wait(generation.accepted, generation, self._dispatcher, None)

    def _track(self) -> None:
        """A task picked up by its id is looked at from the first time that somebody asks."""
        generation = self._generation
        if generation.result.done():
            return  # what it ended with is told by a closed client, too
        task_id = generation.task_id
        self._dispatcher.check(task_id)
        if generation.state is State.RUNNING and task_id and task_id not in self._tracker.tasks:
            self._tracker.adopt(generation, self._loop.time())
            self._dispatcher.look(generation)
