"""Runs the jobs of one command: shows how they go, heeds signals and the time."""

import asyncio
import signal
from asyncio import FIRST_COMPLETED
from collections.abc import Iterable, Sequence
from math import inf
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
_UNNOTICED: Final = 1.0
"""Seconds for which nobody wonders why Ctrl-C does nothing."""


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
    _began: float = field(default=0.0, init=False)

    async def run(self, step: Step) -> int:
        """Take each job's step, all at once; return the exit code."""
        try:
            in_time, number = await self._go(step)
        except BaseException:
            self.end.tell_how_to_go_on(self.jobs)
            raise
        code = self.end.end(self.jobs, number, in_time=in_time)
        for task in self._tasks.values():
            if not task.cancelled():
                task.result()  # a defect ends the command, once all that is paid for was named
        return code

    async def _go(self, step: Step) -> tuple[bool, signal.Signals | None]:
        """Return whether it was over in time, and what stopped it."""
        loop = asyncio.get_running_loop()
        with signals() as pressed, said_by(self.display, of_tasks=self.end.waits):
            async with self.client:
                self._began = loop.time()
                for job in self.jobs:
                    job.since = self._began
                self._tasks = {job: loop.create_task(self._take(step, job)) for job in self.jobs}
                work = loop.create_task(self._all_over())
                try:
                    with self.display:
                        in_time = await self._show_until(work, pressed.first, seconds=self.timeout)
                        number = pressed.first.result() if pressed.first.done() else None
                        # Where the time is over, the first Ctrl-C is already one in a hurry.
                        await self._stop(pressed.first if number is None else pressed.second)
                finally:
                    await self._cancel(self.jobs)
                    await work
        return in_time, number

    async def _take(self, step: Step, job: Job) -> None:
        try:
            await take(step, job)
        finally:
            self.end.over(job, self.display.say)

    async def _all_over(self) -> None:
        await asyncio.wait(self._tasks.values())

    async def _show_until(self, *ends: asyncio.Future[Any], seconds: float | None = None) -> bool:
        """Show how it goes until one of `ends` is there; False where the time is over before."""
        now = asyncio.get_running_loop().time
        until = inf if seconds is None else now() + seconds
        while not any(end.done() for end in ends):
            self._show(now())
            left = until - now()
            if left <= 0:
                return False
            timeout = min(self.display.interval, left)
            await asyncio.wait(ends, timeout=timeout, return_when=FIRST_COMPLETED)
        self._show(now())
        return True

    def _show(self, now: float) -> None:
        self.display.show(JobsView(self.jobs, now, now - self._began))

    async def _stop(self, hurry: asyncio.Future[signal.Signals]) -> None:
        """Have what is not over say where it stands.

        Closing the client, not cancelling: a submit under way is still answered, and its job knows
        its task then.
        """
        await self._cancel(job for job in self.jobs if job.state == DOWNLOADING)
        closing = asyncio.create_task(self.client.aclose())
        if not await self._show_until(closing, hurry, seconds=_UNNOTICED):
            number = self.client.statistics().submitting
            self.display.say(
                f"Waiting for the API's answers, since what it accepts is paid for (submits: {number:,}). "
                "Ctrl-C: wait 5 s at most."
            )
            await self._show_until(closing, hurry)
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
