"""The run: rows to submits, and whatever comes of them to the saver.

A row's way: read, charged, handed to `generate_many`, journaled there, generated, downloaded, written
down in the manifest, and only then acknowledged in the journal. Wherever it is cut off, the next
run finds it in the journal or in the manifest, and goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from anyio import to_thread
from attrs import define, field

from nanobanana_async import (
    AuthenticationError,
    ClientClosedError,
    GenerateMany,
    ImageRequest,
    InsufficientBalanceError,
    JournalDamagedError,
    JournalError,
    Limits,
    LocalFolder,
    NanoBananaClient,
    NanoBananaError,
    Outcome,
    Polling,
    Resumption,
    ServiceTimes,
    ServiceTimesError,
    SubmitUnknownError,
)
from nanobanana_async.bulk._folder import Folder, replace_file
from nanobanana_async.bulk._lines import request_of_line, result_of_line
from nanobanana_async.bulk._opening import Job, open_job
from nanobanana_async.bulk._prepare import requests_of
from nanobanana_async.bulk._progress import Progress, Summary
from nanobanana_async.bulk._saving import Saver
from nanobanana_async.bulk._settings import BulkSettings
from nanobanana_async.bulk._steps import Known, anew, may_be_sent, may_succeed, must_be_found
from nanobanana_async.bulk.report import write_report

__all__ = ["run"]

_logger = logging.getLogger("nanobanana_async")

T = TypeVar("T")

_BLOCK: Final = 1000
"""Lines of the input that `reached` goes ahead of what is handed to the client."""
_WAITING_ROOM: Final = 10_000
"""Outcomes that wait for their download; with more, the run submits no faster than it downloads."""
_AT_ONCE: Final = 500
_OWN: Final = frozenset({"journal", "model", "polling", "resubmit_unknown", "timeout"})
_ENDS_THE_RUN = (AuthenticationError, InsufficientBalanceError, JournalError)


async def run(
    source: str | Path,
    folder: str | Path,
    *,
    settings: BulkSettings = BulkSettings(),  # noqa: B008 - frozen
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
    stdin: BinaryIO | None = None,
    **client: Any,
) -> Summary:
    """Generate a picture for each row of a file; called again it goes on where it was.

    Cancelled, it closes its client and leaves: all is on record, and what runs is picked up by the
    next run. Set `stop` to have what runs finished first.

    Args:
        source: a file of rows, ``-`` for standard input.
        folder: where pictures, manifest, journal and report go; one run at a time owns it.
        settings: how rows are read, what may be spent, what is kept.
        progress: counts for whoever watches.
        stop: once it is set nothing new is submitted, and what runs is finished.
        stdin: read where `source` is ``-``; the process's own when None.
        client: options of `NanoBananaClient`, but for `model`, which is a setting, and those that a
            run needs for itself: `journal`, `polling`, `timeout` and `resubmit_unknown`.

    Raises:
        InputError: the input cannot be used, and nothing was sent; `InvalidRowsError` names rows.
        FolderError: the folder cannot be used; `FolderInUseError` where another run has it.
        DiskError: something could not be written. Nothing that was paid for is lost.
        JournalError: the folder's journal cannot be opened; one that is damaged is set aside.
        MissingKeyError: there is no API key.
        APIConnectionError: no connection for `connect_patience`, where that is among the options.
        ClientCrashedError: a defect of this library; the cause is chained.
        TypeError: an option that is a run's own, or that `NanoBananaClient` does not have.
        ValueError: an option makes no sense; it is named.
    """
    if taken := _OWN.intersection(client):
        raise TypeError(f"{min(taken)} is not an option of a bulk run")
    place, progress, stop = Folder(Path(folder)), progress or Progress(), stop or asyncio.Event()
    limits = client.get("limits", Limits())
    with place.owned():
        opening = partial(open_job, source, place, settings, limits, stdin)
        job = await _in_thread(opening, stop.is_set)
        progress.rows = job.run_file.rows
        work = _Work(job, progress, stop, client)
        try:
            await work.run()
        finally:
            await job.manifest.aclose()
        await to_thread.run_sync(job.manifest.compact)
        progress.writing_report = settings.report and work.begun
        return work.summary(await _report(place, wanted=progress.writing_report))


async def _in_thread(work: Callable[..., T], stopped: Callable[[], bool] = lambda: False) -> T:
    """Do blocking work that asks now and then whether it is stopped.

    A cancellation stops it, and waits for it: the folder is its own for as long as it goes on.
    """
    left = False
    running = asyncio.ensure_future(
        to_thread.run_sync(partial(work, stopped=lambda: left or stopped()))
    )
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        left = True
        await asyncio.wait([running])
        running.exception()  # marks it as retrieved
        raise


async def _report(place: Folder, *, wanted: bool) -> Path | None:
    """Write the page where it is wanted; return where there is one."""
    page = place.path / "report.html"
    if wanted:
        try:
            # Thousands of thumbnails take minutes; who leaves meanwhile does not wait for them.
            await _in_thread(partial(write_report, place.path))
        except OSError as error:
            _logger.warning("The report cannot be written: %s", error)
    return page if page.exists() else None


@define(eq=False)
class _Work:
    """One run at work."""

    job: Job
    progress: Progress
    stop: asyncio.Event
    options: dict[str, Any]
    stopped_by: NanoBananaError | None = field(default=None, init=False)
    begun: bool = field(default=False, init=False)
    """Whether there was anything to do."""
    _again: set[str] = field(factory=set, init=False)
    """Keys of rows to be started anew, each a new charge."""
    _busy: set[str] = field(factory=set, init=False)
    """Keys of rows whose task is looked at again: nothing is sent for them meanwhile."""
    _sent: Mapping[str, str | None] = field(factory=dict, init=False)
    """What earlier runs have sent, by the journal: by key the id of its task, where it is known."""
    _told: dict[str, str] = field(factory=dict, init=False)
    """Task ids by key that a damaged journal still told."""
    _queue: asyncio.Queue[Outcome] = field(
        factory=partial(asyncio.Queue, _WAITING_ROOM), init=False
    )
    _many: GenerateMany | None = field(default=None, init=False)

    async def run(self) -> None:
        entries, settings = self.job.manifest.entries, self.job.settings
        self._again = {key for key, entry in entries.items() if anew(entry, settings)}
        self.progress.again = sum(entries[key].state != "refused" for key in self._again)
        open_rows = self._again | self.job.unfinished().keys()
        self.progress.done_before = len(entries) - len(open_rows)
        if self._nothing_to_do():
            return
        self.begun = True
        async with AsyncExitStack() as stack:
            client = await self._open(stack)
            self.progress.statistics = client.statistics
            try:
                await self._work(client)
            finally:
                times = client.service_times().to_json().encode()
                with suppress(OSError):  # it only spares the next run some looks
                    replace_file(self.job.folder.service_times, times)

    def summary(self, report: Path | None) -> Summary:
        """What is left when the run is over."""
        entries = self.job.manifest.entries.values()
        return Summary(
            rows=self.job.run_file.rows,
            states=Counter(entry.state for entry in entries),
            rejected=len(self.job.rejected),
            spent=self.job.budget.spent,
            budget_reached=self.job.budget.reached,
            stopped=self.stop.is_set(),
            stopped_by=self.stopped_by,
            report=report,
        )

    # What is to be done

    def _nothing_to_do(self) -> bool:
        entries = self.job.manifest.entries
        if self._again or self.job.unfinished() or any(entry.anew for entry in entries.values()):
            return False
        return all(request.key in entries for _, request in self._rows())

    def _known(self, line: int, key: str) -> Known:
        return Known(
            entry=self.job.manifest.entries.get(key),
            busy=key in self._busy,
            in_journal=key in self._sent,
            provable=line > self.job.run_file.unprovable,
        )

    def _asked_for(self, key: str) -> bool:
        entry = self.job.manifest.entries.get(key)
        return entry is not None and key in self._again and anew(entry, self.job.settings)

    def _asked_for_again(self, key: str) -> bool:
        """In a further pass: it failed just now, or was still being looked at."""
        entry = self.job.manifest.entries.get(key)
        if entry is None:
            return False
        return self._asked_for(key) or may_succeed(entry, self.job.settings)

    def _rows(self) -> Iterator[tuple[int, ImageRequest]]:
        return requests_of(self.job.source, self.job.settings, self.job.rejected)

    # The client

    async def _open(self, stack: AsyncExitStack) -> NanoBananaClient:
        journal = self.job.folder.journal
        if self.job.run_file.reached and not journal.exists():
            _logger.warning("%s is missing; rows that may have been sent are unknown", journal)
            await to_thread.run_sync(self._nothing_proves)
        try:
            return await stack.enter_async_context(self._client())
        except JournalDamagedError as error:
            self._told = error.task_ids
            await to_thread.run_sync(self._nothing_proves)
            kept = self.job.folder.set_journal_aside()
            _logger.warning("%s. It is kept as %s; a new one is begun", error, kept)
            return await stack.enter_async_context(self._client())

    def _nothing_proves(self) -> None:
        """Note, before there is a new journal, that it says nothing of rows up to here."""
        self.job.run_file.unprovable = self.job.run_file.reached
        self.job.run_file.write()

    def _client(self) -> NanoBananaClient:
        return NanoBananaClient(
            **({"connect_patience": None} | self.options),
            model=self.job.settings.model,
            journal=self.job.folder.journal,
            polling=Polling(service_times=self._service_times()),
        )

    def _service_times(self) -> ServiceTimes | None:
        try:
            return ServiceTimes.from_json(self.job.folder.service_times.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ServiceTimesError) as error:
            _logger.warning("Service times of the last run are not used: %s", error)
            return None

    # The work

    async def _work(self, client: NanoBananaClient) -> None:
        saver = Saver(self.job, client, LocalFolder(self.job.folder.path), self.progress)
        try:
            async with asyncio.TaskGroup() as group:
                workers = [
                    group.create_task(self._save_all(saver))
                    for _ in range(self.job.settings.download_concurrency)
                ]
                workers.append(group.create_task(self._heed_stop()))
                await self._feed(client, group)
                await self._queue.join()
                for worker in workers:
                    worker.cancel()
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def _save_all(self, saver: Saver) -> None:
        while True:
            outcome = await self._queue.get()
            await saver.save(outcome)
            self._busy.discard(str(outcome.key))
            self._queue.task_done()

    async def _heed_stop(self) -> None:
        await self.stop.wait()
        self.progress.stopping = True
        if self._many is not None:
            self._many.stop()

    async def _feed(self, client: NanoBananaClient, group: asyncio.TaskGroup) -> None:
        """Take up what was left, and send what was not; rows that failed come in further passes."""
        resumption, self._sent = client.resume(), client.sent()
        self._note_left(resumption.left)
        earlier = [group.create_task(self._take_up(resumption))]
        looks = [*self._looks_again(client), *self._finds(client)]
        earlier += [group.create_task(look) for look in looks]
        await self._pass(client, self._first_time)
        await asyncio.gather(*earlier)
        await self._queue.join()
        while await self._pass(client, self._further_time):
            await self._queue.join()

    def _first_time(self, line: int, key: str) -> bool:
        return may_be_sent(self._known(line, key), asked=self._asked_for(key))

    def _further_time(self, line: int, key: str) -> bool:
        asked = self._asked_for_again(key)
        return asked and may_be_sent(self._known(line, key), asked=True)

    def _note_left(self, left: Mapping[int, ImageRequest]) -> None:
        entries = self.job.manifest.entries
        for attempt, request in left.items():
            entry = entries.get(str(request.key))
            self._busy.add(str(request.key))
            if entry is None or entry.attempt != attempt:  # else its line is there, and counted
                self.job.budget.spend(request)

    async def _take_up(self, resumption: Resumption) -> None:
        try:
            async for outcome in resumption:
                await self._queue.put(outcome)
        except _ENDS_THE_RUN as error:
            self._end(error)

    def _looks_again(self, client: NanoBananaClient) -> Iterator[Coroutine[Any, Any, None]]:
        """Rows of earlier runs that may have their pictures yet, and cost nothing more."""
        for key, line in self.job.unfinished().items():
            self._busy.add(key)
            attempt = self.job.manifest.entries[key].attempt
            if line["state"] == "download_failed":
                request, result = result_of_line(line)
                yield self._queue.put(_outcome(request, attempt, result=result))
            else:
                yield self._look(client, request_of_line(line), line["task_id"], attempt)

    async def _look(
        self, client: NanoBananaClient, request: ImageRequest, task_id: str, attempt: int | None
    ) -> None:
        task = client.task(task_id, model=request.model or self.job.settings.model)
        try:
            outcome = _outcome(request, attempt, result=await task.result())
        except _ENDS_THE_RUN as error:
            self._end(error)
        except ClientClosedError:
            raise
        except NanoBananaError as error:
            await self._queue.put(_outcome(request, attempt, error=error))
        else:
            await self._queue.put(outcome)

    def _finds(self, client: NanoBananaClient) -> Iterator[Coroutine[Any, Any, None]]:
        """Rows that may have been sent and have no line for it: looked at, or named as unknown."""
        if not (self.job.run_file.unprovable or self._sent):
            return
        for line, request in self._rows():
            key = str(request.key)
            if must_be_found(self._known(line, key)):
                self._busy.add(key)
                self.job.budget.spend(request)
                task_id = self._told.get(key) or self._sent.get(key)
                if task_id is None or task_id == self.job.manifest.lines.get(key, {}).get(
                    "task_id"
                ):
                    yield self._queue.put(_outcome(request, None, error=_unknown(request)))
                else:
                    yield self._look(client, request, task_id, None)

    # Passes over the input

    async def _pass(self, client: NanoBananaClient, wanted: Callable[[int, str], bool]) -> bool:
        """Send the rows that are wanted; False where there was none, or no more may be sent."""
        if self.stop.is_set() or self.stopped_by is not None:
            return False
        sent = 0

        async def rows() -> AsyncIterator[ImageRequest]:
            nonlocal sent
            async for request in self._wanted(wanted):
                sent += 1
                yield request

        try:
            async with client.generate_many(rows()) as self._many:
                async for outcome in self._many:
                    await self._queue.put(outcome)
        except _ENDS_THE_RUN as error:
            self._end(error)
        return sent > 0

    async def _wanted(self, wanted: Callable[[int, str], bool]) -> AsyncIterator[ImageRequest]:
        for count, (line, request) in enumerate(self._rows()):
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)  # rows that are done must not hold up the loop
            key = str(request.key)
            if not wanted(line, key):
                continue
            if self.stop.is_set() or not self.job.budget.charge(request):
                return
            if line > self.job.run_file.reached:
                self.job.run_file.reached = line + _BLOCK
                await to_thread.run_sync(self.job.run_file.write)
            self._again.discard(key)
            await self._note_anew(key)
            yield request

    async def _note_anew(self, key: str) -> None:
        """A row that has a line says so before it is sent anew: the journal may be lost."""
        if (line := self.job.manifest.lines.get(key)) is not None:
            await self.job.manifest.append({**line, "anew": True})

    def _end(self, error: NanoBananaError) -> None:
        self.stopped_by = self.stopped_by or error
        self.progress.stopping = True


def _outcome(request: ImageRequest, attempt: int | None, **end: Any) -> Outcome:
    return Outcome(index=0, key=request.key, request=request, attempt=attempt, **end)


def _unknown(request: ImageRequest) -> SubmitUnknownError:
    error = SubmitUnknownError("It may have been sent: nothing on record proves that it was not")
    error.request = request
    return error


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what ended the run; the others followed from it."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
