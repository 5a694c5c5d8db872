"""Runs the jobs of one command: shows how they go, heeds signals and the time."""

import asyncio
import signal
from asyncio import FIRST_COMPLETED
from collections.abc import Iterable, Sequence
from typing import Any, Final

from attrs import define, field

from nanobanana_async import NanoBananaClient
from nanobanana_async.cli._display import Display
from nanobanana_async.cli._said import said_by
from nanobanana_async.cli._signals import signals
from nanobanana_async.cli.jobs._end import JobsEnd
from nanobanana_async.cli.jobs._follow import Step, take
from nanobanana_async.cli.jobs._job import DOWNLOADING, Job
from nanobanana_async.cli.jobs._view import JobsView

_GRACE: Final = 5.0
"""Seconds for jobs to note what the closed client tells them."""


@define
class JobsRun:
    """One command's."""

    client: NanoBananaClient
    jobs: Sequence[Job]
    display: Display[JobsView]
    end: JobsEnd
    timeout: float | None = None
    """Seconds for all of them."""
    _tasks: dict[Job, asyncio.Task[None]] = field(factory=dict, init=False)
    _told: set[Job] = field(factory=set, init=False)

    async def run(self, step: Step) -> int:
        """Take each job's step, all at once; return the exit code."""
        with signals() as pressed, said_by(self.display):
            async with self.client:
                for job in self.jobs:
                    job.since = asyncio.get_running_loop().time()
                self._tasks = {job: asyncio.create_task(take(step, job)) for job in self.jobs}
                work = asyncio.create_task(self._all_over())
                try:
                    with self.display:
                        in_time = await self._watch(work, pressed.first)
                        await self._stop(pressed.second)
                        self._tell()
                finally:
                    await self._cancel(self.jobs)
                    await work
        for task in self._tasks.values():
            if not task.cancelled():
                task.result()  # a defect ends the command with what it says
        number = pressed.first.result() if pressed.first.done() else None
        return self.end.end(self.jobs, number, in_time=in_time)

    async def _all_over(self) -> None:
        await asyncio.wait(self._tasks.values())

    async def _watch(
        self, work: asyncio.Task[None], signalled: asyncio.Future[signal.Signals]
    ) -> bool:
        """Return when all is over, or a signal came; False where the time is over."""
        now = asyncio.get_running_loop().time
        began = now()
        while not (work.done() or signalled.done()):
            self._tell()
            self.display.show(JobsView(self.jobs, now(), now() - began))
            left = None if self.timeout is None else began + self.timeout - now()
            if left is not None and left <= 0:
                return False
            wait = self.display.interval if left is None else min(self.display.interval, left)
            waiting: set[asyncio.Future[Any]] = {work, signalled}
            await asyncio.wait(waiting, timeout=wait, return_when=FIRST_COMPLETED)
        self.display.show(JobsView(self.jobs, now(), now() - began))
        return True

    async def _stop(self, hurry: asyncio.Future[signal.Signals]) -> None:
        """Have what is not over say where it stands.

        Closing the client, not cancelling: a submit under way is still answered, and its job knows
        its task then.
        """
        await self._cancel(job for job in self.jobs if job.state == DOWNLOADING)
        closing = asyncio.create_task(self.client.aclose())
        either: set[asyncio.Future[Any]] = {closing, hurry}
        await asyncio.wait(either, return_when=FIRST_COMPLETED)
        if not closing.done():
            closing.cancel()  # gives submits under way a few seconds
            await asyncio.wait({closing})
        await asyncio.wait(self._tasks.values(), timeout=_GRACE)

    async def _cancel(self, jobs: Iterable[Job]) -> None:
        tasks = [self._tasks[job] for job in jobs]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _tell(self) -> None:
        for job in self.jobs:
            if job.over and job not in self._told:
                self._told.add(job)
                self.end.over(job, self.display.say)
