"""Takes one job from the line to its file; each step shows in the job."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from attrs import define, field

from nanobanana_async import NanoBananaClient, NanoBananaError, Task
from nanobanana_async.cli.jobs._job import DOWNLOADING, Job
from nanobanana_async.cli.jobs._place import Place

# Few, since pictures are large, and looks at what still runs should not wait for the network.
_DOWNLOADS: Final = 8

Step = Callable[[Job], Awaitable[None]]


@define
class Following:
    """What all jobs of one command share."""

    client: NanoBananaClient
    place: Place
    model: str | None = None
    """Of tasks that are known by their id."""
    _downloads: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(_DOWNLOADS), init=False)

    async def generate(self, job: Job) -> None:
        """Submit it, and follow it to its file."""
        await self._follow(job, await self._submit(job))

    async def submit(self, job: Job) -> None:
        """Submit it, and leave it to the API."""
        await self._submit(job)

    async def wait(self, job: Job) -> None:
        """Follow a known task to its file."""
        task = self._known(job)
        job.enter((await task.status()).state)  # tells whether the API can be reached at all
        await self._follow(job, task)

    async def download(self, job: Job) -> None:
        """Fetch the file of a known task, if it has one already."""
        task = self._known(job)
        status = await task.status()
        job.enter(status.state)
        if status.finished:
            await self._fetch(job, task)

    async def _submit(self, job: Job) -> Task:
        assert job.request is not None  # noqa: S101 - jobs of these commands have one
        task = await self.client.submit(job.request)
        job.task_id = task.id
        job.enter("submitted")
        return task

    def _known(self, job: Job) -> Task:
        return self.client.task(str(job.task_id), model=self.model)

    async def _follow(self, job: Job, task: Task) -> None:
        async for status in task.events():
            job.enter(status.state)
        await self._fetch(job, task)

    async def _fetch(self, job: Job, task: Task) -> None:
        job.result = await task.result()
        job.enter(DOWNLOADING)
        async with self._downloads:
            path = self.place.take(job.name, job.result)
            job.files = await self.client.download_all(job.result, path)


async def take(step: Step, job: Job) -> None:
    """Take a step; what goes wrong is noted in the job."""
    try:
        await step(job)
    except NanoBananaError as error:
        job.error = error
        job.task_id = job.task_id or error.task_id
    finally:
        job.over = True
