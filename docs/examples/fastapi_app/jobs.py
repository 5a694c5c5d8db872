"""Jobs: drawn in the background, known after a crash, never paid twice.

A job is in the store before its browser hears of it, and its id is the `key` of its request. So
after a crash there are three cases. The journal does not know it: it was never sent, and is sent
now. The journal knows how to find it: `resume` hands it out. Nobody knows: it is shown as unknown.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from nanobanana_async import (
    ClientClosedError,
    DownloadError,
    ImageResult,
    JournalError,
    LocalFolder,
    NanoBananaClient,
    NanoBananaError,
    Outcome,
    Resumption,
    SubmitUnknownError,
    Task,
    TaskFailedError,
    TaskNotFoundError,
)

from .problems import code_of
from .store import Job, State, Store

_logger = logging.getLogger(__name__)

_LOOK_AGAIN = 1.0
"""Seconds after which a job that another worker draws is looked up again."""
_FETCH_AGAIN = 60.0
"""Seconds after which a picture that could not be fetched is tried again."""
_HEARD_ALL = (TaskFailedError, TaskNotFoundError, SubmitUnknownError)
"""Ends after which nothing more is to be had: once stored, the journal may forget them."""

Ended: TypeAlias = ImageResult | NanoBananaError


class Jobs:
    """What one worker process draws, and what it shows of all the others."""

    def __init__(self, client: NanoBananaClient, folder: Path, worker: int) -> None:
        self._client = client
        self._store = Store(folder)
        self._pictures = LocalFolder(folder / "pictures")
        self._worker = worker
        self._running: set[asyncio.Task[Any]] = set()
        self._changed: dict[str, asyncio.Event] = {}
        self._closing = asyncio.Event()

    async def open(self) -> None:
        """Take up what the process before this one left. The client is open."""
        left = self._client.resume()
        for request in left.left.values():
            await self._sent(str(request.key), request.prompt)
        self._spawn(self._adopt(left))
        sent = self._client.sent()
        for job in await self._store.unfinished(self._worker):
            if job.id not in sent:  # answered 202, and then the process was killed
                self._spawn(self._draw(job))

    def stop(self) -> None:
        """Let no browser wait here any longer: each is told, and comes back to the next process."""
        self._closing.set()
        for job_id in list(self._changed):
            self._ring(job_id)

    async def aclose(self) -> None:
        """Write down what is known. The client is closed already, so nobody draws any more."""
        self.stop()
        while self._running:
            await asyncio.wait(self._running)
        await self._store.aclose()

    # What browsers ask for

    async def add(self, job_id: str, prompt: str) -> Job:
        """Return once the job is on the disk and begun; the same job for the same id."""
        # Shielded: a job that is stored is also begun, whatever becomes of this request.
        return await asyncio.shield(self._spawn(self._add(job_id, prompt)))

    async def follow(self, job_id: str, task: Task) -> Job:
        """Wait for the end of a task that was submitted, and keep its picture."""
        # Shielded: it is paid for, so it is kept though its browser may go away.
        await asyncio.shield(self._spawn(self._follow(job_id, task)))
        return await self._known(job_id)

    async def find(self, job_id: str) -> Job | None:
        """Return a job, whichever worker draws it."""
        return await self._store.get(job_id)

    async def changes(self, job_id: str) -> AsyncIterator[Job]:
        """Iterate over a job as it is now and after each change, until it or this process ends."""
        version = 0
        try:
            while True:
                changed = self._changed.setdefault(job_id, asyncio.Event())
                job = await self._known(job_id)
                if job.version != version:
                    version = job.version
                    yield job
                if job.over or self._closing.is_set():
                    return
                await _within(_LOOK_AGAIN, changed)
        finally:
            self._ring(job_id)  # others who listen begin anew

    def picture(self, job: Job) -> Path:
        """Return where the picture of a job is."""
        return self._pictures.root / _file(job.id)

    # Drawing

    async def _add(self, job_id: str, prompt: str) -> Job:
        is_new = await self._store.add(self._worker, job_id, prompt)
        job = await self._known(job_id)
        if is_new:
            self._spawn(self._draw(job))
        return job

    async def _draw(self, job: Job) -> None:
        try:
            task = await self._client.submit(job.prompt, key=job.id, bulk=True)
        except NanoBananaError as error:
            if not self._closing.is_set():  # then it keeps its place: the next process sends it
                await self._change(job.id, "failed", code_of(error))
        else:
            await self._follow(job.id, task)

    async def _follow(self, job_id: str, task: Task) -> None:
        await self._sent(job_id, task.request.prompt if task.request else "")
        try:
            async for status in task.events():
                if status.state == "processing":
                    await self._change(job_id, "processing")
            ended: Ended = await task
        except NanoBananaError as error:
            ended = error
        await self._keep(job_id, ended, task.acknowledge)

    async def _adopt(self, left: Resumption) -> None:
        with suppress(ClientClosedError):
            async for outcome in left:
                self._spawn(self._settle(outcome))

    async def _settle(self, outcome: Outcome) -> None:
        ended = outcome.result or outcome.error
        if ended is not None:
            await self._keep(str(outcome.key), ended, outcome.acknowledge)

    async def _keep(self, job_id: str, ended: Ended, acknowledge: Callable[[], None]) -> None:
        """Store picture and end; only then the journal may forget that they are owed to somebody."""
        error = await self._fetch(job_id, ended) if isinstance(ended, ImageResult) else ended
        if error is not None and self._closing.is_set():
            return  # the next process is handed it again
        if error is None:
            await self._change(job_id, "done")
        else:
            await self._change(job_id, "failed", code_of(error))
        if error is None or isinstance(error, _HEARD_ALL):
            with suppress(JournalError):  # then the next process does all this once more
                acknowledge()
        elif isinstance(ended, ImageResult):
            self._spawn(self._keep_later(job_id, ended, acknowledge))

    async def _keep_later(
        self, job_id: str, result: ImageResult, acknowledge: Callable[[], None]
    ) -> None:
        """Try again: the picture is paid for, and there for some days."""
        if not await _within(_FETCH_AGAIN, self._closing):
            await self._keep(job_id, result, acknowledge)

    async def _fetch(self, job_id: str, result: ImageResult) -> NanoBananaError | None:
        url, name, task_id = result.urls[0], _file(job_id), result.task_id
        try:
            await self._client.fetch(url, self._pictures, name, task_id=task_id, expected="png")
        except (ClientClosedError, DownloadError) as error:
            return error
        return None

    # What is known of it

    async def _sent(self, job_id: str, prompt: str) -> None:
        await self._store.sent(self._worker, job_id, prompt)
        self._ring(job_id)

    async def _known(self, job_id: str) -> Job:
        job = await self._store.get(job_id)
        if job is None:
            raise LookupError(f"There is no job {job_id}")
        return job

    async def _change(self, job_id: str, state: State, problem: str | None = None) -> None:
        await self._store.change(job_id, state, problem)
        self._ring(job_id)

    def _ring(self, job_id: str) -> None:
        changed = self._changed.pop(job_id, None)
        if changed is not None:
            changed.set()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin a task that `aclose` awaits, and whose failure disturbs no other."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _logger.error("A job broke off; the next start takes it up", exc_info=error)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event, for so long at most; True where it came."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


def _file(job_id: str) -> str:
    return f"{job_id}.png"
