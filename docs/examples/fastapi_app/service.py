"""What lives as long as the app: the client and the jobs of one worker process."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from nanobanana_async import (
    JournalInUseError,
    Limits,
    NanoBananaClient,
    SqliteJournal,
    Webhooks,
)

from .jobs import Jobs
from .relay import SharedRelay

HOOKS = "/hooks/nanobanana"
MONTH = 30 * 86_400.0
"""Seconds for which the journal remembers what is stored: it must not grow for ever."""


@dataclass(frozen=True)
class Settings:
    """What the environment says. The client itself reads ``APIXO_API_KEY``."""

    folder: Path
    """Journals, jobs and pictures: on a disk that outlives the process."""
    workers: int
    """Processes that share the account; uvicorn starts as many for the same variable."""
    limits: Limits
    """What the account may do, all workers together."""
    longest_wait: float
    """Seconds in line beyond which nobody new is let in."""
    public_url: str | None
    """Where the API reaches this app, ``https://example.org``; None: tasks are looked at instead."""
    secret: str

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read them; ValueError for a number that is none."""
        told = os.environ.get
        return cls(
            folder=Path(told("DATA_FOLDER", "data")),
            workers=int(told("WEB_CONCURRENCY", "1")),
            limits=Limits(
                requests_per_minute=int(told("REQUESTS_PER_MINUTE", "10000")),
                concurrent_tasks=int(told("CONCURRENT_TASKS", "1000")),
            ),
            longest_wait=float(told("LONGEST_WAIT", "60")),
            public_url=told("PUBLIC_URL", "").rstrip("/") or None,
            secret=told("WEBHOOK_SECRET", ""),
        )


@dataclass(frozen=True)
class Service:
    """What the routes work with."""

    client: NanoBananaClient
    jobs: Jobs
    webhooks: bool
    longest_wait: float


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Service]:
    """Open what a worker needs, take up what its forerunner left, and close it all."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    relay = SharedRelay(settings.folder) if settings.workers > 1 else None
    client, worker = await _first_free(settings, relay)
    jobs = Jobs(client, settings.folder, worker)
    closing: list[asyncio.Task[None]] = []

    def stop() -> None:
        jobs.stop()
        # At once: who stands in line is told, and what runs is left to the next process. Whoever
        # would rather wait for what runs leaves this line out, and restarts more slowly.
        closing.append(asyncio.create_task(client.aclose()))

    try:
        await jobs.open()
        with _told_to_stop(stop):
            yield Service(client, jobs, bool(settings.public_url), settings.longest_wait)
    finally:
        jobs.stop()
        await asyncio.gather(client.aclose(), *closing)
        await jobs.aclose()
        if relay:
            await relay.aclose()


async def _first_free(
    settings: Settings, relay: SharedRelay | None
) -> tuple[NanoBananaClient, int]:
    """Become the first worker that nobody is: a journal has one owner, also after a crash."""
    for worker in range(1, settings.workers + 1):
        client = _client(settings, worker, relay)
        try:
            return await client.__aenter__(), worker
        except JournalInUseError:
            continue
    raise RuntimeError(f"There are {settings.workers} workers already: see WEB_CONCURRENCY")


def _client(settings: Settings, worker: int, relay: SharedRelay | None) -> NanoBananaClient:
    webhooks = None
    if settings.public_url:
        url = settings.public_url + HOOKS
        webhooks = Webhooks(public_url=url, secret=settings.secret, relay=relay)
    return NanoBananaClient(
        journal=SqliteJournal(settings.folder / f"journal-{worker}.db", forget_after=MONTH),
        limits=settings.limits.share(worker, of=settings.workers),
        webhooks=webhooks,
        connect_patience=None,  # a job that was taken on waits for as long as the network is away
    )


@contextmanager
def _told_to_stop(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` when the process is asked to end.

    A server ends the lifespan only after the last answer, and an event stream would not come to its
    end without hearing of the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # a test's server, which gets no signals
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        servers = before[signal.Signals(number)]
        if callable(servers):
            servers(number, frame)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
