"""One opened client: its parts put together, and the owner task that keeps them alive.

The owner holds the task group. Entry and exit of a client may come from different tasks (a web
server's lifespan, a fixture), which a task group entered by the caller would not allow; and a crash
inside must not cancel the caller's own body.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from math import inf
from random import Random, getrandbits
from typing import Any, Final
from weakref import WeakSet, WeakValueDictionary, finalize, ref

import anyio
from attrs import frozen

from nanobanana_async._alarm import Alarm
from nanobanana_async._attempts import Attempts
from nanobanana_async._callbacks import Callbacks
from nanobanana_async._counters import Counters
from nanobanana_async._deliveries import Deliveries
from nanobanana_async._dispatcher import Dispatcher
from nanobanana_async._errors import (
    ClientClosedError,
    ClientCrashedError,
    JournalError,
    NanoBananaError,
    fresh,
)
from nanobanana_async._expectation import expected_wait
from nanobanana_async._gateway import Gateway
from nanobanana_async._generation import Generation
from nanobanana_async._journal import Journal
from nanobanana_async._learned import LearnedSchedule
from nanobanana_async._lifecycle import State
from nanobanana_async._limits import Limits
from nanobanana_async._models import Statistics
from nanobanana_async._observer import Watch
from nanobanana_async._polling import Polling
from nanobanana_async._schedule import Schedule
from nanobanana_async._service_times import LearnedTimes
from nanobanana_async._slots import Slots
from nanobanana_async._stalest import StalestFirst
from nanobanana_async._submits import Submits
from nanobanana_async._task import Task
from nanobanana_async._tracker import Tracker
from nanobanana_async._webhooks import Webhooks
from nanobanana_async._wire import Transport

__all__ = ["Engine", "Settings"]

_logger = logging.getLogger("nanobanana_async")

_NAMED: Final = 20
_CANCELLED_GRACE: Final = 5.0
_READERS_GRACE: Final = 1.0


@frozen(kw_only=True, eq=False, repr=False)
class Settings:
    """What a client was told; times in seconds."""

    base_url: str
    limits: Limits
    polling: Polling
    request_timeout: float
    connect_patience: float | None
    unknown_hold: float
    stuck_after: float
    webhooks: Webhooks | None = None
    watch: Watch | None = None


class _Finished(Exception):  # noqa: N818 - ends the task group, is no error
    """Raised in the owner's body to end its task group."""


def _schedule(polling: Polling, times: LearnedTimes) -> Schedule[Generation]:
    if polling.service_times is not None:
        times.start_from(polling.service_times)
    if polling.strategy == "stalest":
        return StalestFirst()
    return LearnedSchedule(times, polling.price)


class Engine:
    """Everything that belongs to one event loop."""

    def __init__(
        self, transport: Transport, settings: Settings, journal: Journal | None = None
    ) -> None:
        """Start in the running loop; `aclose` must be awaited in the end."""
        self.loop = asyncio.get_running_loop()
        self._transport = transport
        self._settings = settings
        self.watch = settings.watch
        # From the global generator, so that a program that seeds that one is repeatable.
        self.random = random = Random(getrandbits(64))
        self._counters = Counters(self.loop.time())
        self._slots = Slots(settings.limits.concurrent_tasks, random, settings.limits.optimistic)
        self._gateway = Gateway(
            transport,
            settings.limits.requests_per_minute,
            self._slots,
            self.loop,
            self._counters,
            settings.request_timeout,
            random,
        )
        self.times = LearnedTimes()
        self.callbacks = Callbacks(settings.webhooks)
        self.tracker = Tracker(
            _schedule(settings.polling, self.times),
            self._slots,
            self._counters,
            settings.stuck_after,
            random,
            self.times,
            self.callbacks,
        )
        self.submits = Submits(
            self._slots,
            self.tracker,
            self._counters,
            self.callbacks,
            settings.unknown_hold,
            random,
        )
        self.attempts = Attempts(journal, self.callbacks)
        patience = settings.connect_patience
        self.dispatcher = Dispatcher(
            self._gateway,
            self.submits,
            self.tracker,
            self.attempts,
            self.loop,
            settings.base_url,
            inf if patience is None else patience,
        )
        self.deliveries = self._deliveries(settings.webhooks)
        self._handles: WeakValueDictionary[str, Task] = WeakValueDictionary()
        self._closing = asyncio.Event()
        self._over = False
        # Readers of sources that are not ours. Not in the owner's group: one that does not end
        # when it is cancelled must not keep the client from closing.
        self._readers: set[asyncio.Task[None]] = set()
        self.limits_changed: WeakSet[Alarm] = WeakSet()
        """Rung when the limits have changed."""
        self._started: asyncio.Future[asyncio.TaskGroup] = self.loop.create_future()
        self._owner = self.loop.create_task(self._own(), name="nanobanana_async owner")
        self._owner.add_done_callback(self._owner_ended)

    def _deliveries(self, webhooks: Webhooks | None) -> Deliveries | None:
        if webhooks is None:
            return None
        return Deliveries(
            webhooks,
            self.callbacks,
            self.attempts,
            self.submits,
            self.tracker,
            self.dispatcher,
            self._counters,
            self.loop,
        )

    # Handles

    def handle_of(self, generation: Generation) -> Task:
        """Return the one handle of a generation."""
        handle: Task | None = generation.handle() if generation.handle else None
        if handle is None:
            handle = Task(generation, self.dispatcher, self.tracker, self.attempts, self.loop)
            generation.handle = ref(handle)
            finalize(handle, generation.name_unawaited).atexit = False
        if generation.task_id is not None:
            self._handles[generation.task_id] = handle
        return handle

    def known_task(self, task_id: str, model: str) -> Task:
        """Return the handle of a task by its id; the same one while there is one."""
        generation = self.tracker.tasks.get(task_id)
        if generation is not None:
            return self.handle_of(generation)
        handle = self._handles.get(task_id)
        if handle is not None:
            return handle
        of = (model, None, None, None)
        generation = Generation(model, of, None, self.loop.time())
        generation.state, generation.task_id = State.RUNNING, task_id
        return self.handle_of(generation)

    # Limits

    @property
    def most_at_once(self) -> int:
        """Slots that can be taken at most, those beyond the account's included."""
        return self._slots.most

    def change_limits(self, limits: Limits) -> None:
        """Keep to other limits from now on."""
        self.dispatcher.check_loop()
        self._slots.resize(limits.concurrent_tasks, optimistic=limits.optimistic)
        self._gateway.configure(limits.requests_per_minute)
        self.dispatcher.wake()
        for alarm in self.limits_changed:
            alarm.ring()

    # Life

    @property
    def is_open(self) -> bool:
        """True from when requests can be sent until the end."""
        started = self._started.done() and self._started.exception() is None
        return started and not self._over

    async def opened(self) -> None:
        """Return when requests can be sent; raise what keeps them from it.

        Raises:
            JournalError: the journal cannot be opened.
        """
        try:
            await asyncio.shield(self._started)
        except NanoBananaError as error:
            raise fresh(error) from error.__cause__

    async def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work`, which reads somebody's source, in a task that is ended on closing."""
        try:
            await self.opened()
            self.dispatcher.check()
        except BaseException:
            work.close()
            raise
        reader = self.loop.create_task(work)
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)
        return reader

    async def aclose(self) -> None:
        """Close, and return when nothing is left. Cancelled: POSTs under way get 5 s more."""
        self.dispatcher.check_loop()
        self._closing.set()
        if asyncio.current_task() in self._readers:
            return  # called by a source of `generate_many`: the owner waits for it to end
        try:
            await asyncio.wait([self._owner])
        except asyncio.CancelledError:
            timer = self.loop.call_later(_CANCELLED_GRACE, self._owner.cancel)
            # Shielded: a cancelled scope of anyio's around this cancels again at every await.
            with anyio.CancelScope(shield=True):
                while not self._owner.done():
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([self._owner])
            timer.cancel()
            raise
        finally:
            if self._owner.done():  # again, for an owner that was cancelled before its first step
                await self._transport.aclose()

    async def _own(self) -> None:
        error: NanoBananaError = ClientClosedError("The client was closed")
        interrupt: BaseException | None = None
        try:
            try:
                await self.attempts.open(self.loop.time())
            except JournalError as failed:
                error = failed
                return
            async with asyncio.TaskGroup() as group:
                self._opened(group)
                try:
                    await self._wait_for_the_end(error)
                except (KeyboardInterrupt, SystemExit) as struck_here:
                    interrupt = struck_here
                    raise
                raise _Finished  # noqa: TRY301 - the only way to end a task group from inside
        except* _Finished:
            pass
        except* (KeyboardInterrupt, SystemExit):
            # One that struck another task of the group went out through the loop already.
            if interrupt is not None:
                raise interrupt from None
        except* Exception as crash:
            error = ClientCrashedError("The client crashed")
            error.__cause__ = crash
            _logger.critical("The client crashed", exc_info=crash)
        finally:
            if not self._started.done():
                self._started.set_exception(error)
                self._started.exception()  # marks it as retrieved
            self._over = True
            if self.deliveries is not None:
                self.deliveries.end()
            self.dispatcher.cut_off(error)
            if self.watch is not None:
                self.watch.closed()
            self._name_unfinished()
            await self._end_readers()
            await self.attempts.aclose()
            await self._transport.aclose()

    def _opened(self, group: asyncio.TaskGroup) -> None:
        self._started.set_result(group)
        if self.deliveries is not None:
            self.deliveries.begin()
        if self.watch is not None:
            self.watch.opened(self.statistics)
        group.create_task(self.dispatcher.run(group))

    def _owner_ended(self, owner: asyncio.Task[None]) -> None:
        if not owner.cancelled():
            owner.exception()  # marks it as retrieved: what it says was told to all who wait
        if not self._started.done():
            # Cancelled before its first step, by whoever cancels all tasks: nothing of it ran.
            error = ClientClosedError("The client was cancelled while it was being opened")
            self._started.set_exception(error)
            self._started.exception()
            self.dispatcher.cut_off(error)

    def when_over(self, callback: Callable[[], None]) -> None:
        """Call back when the client has ended, in whatever way."""
        self._owner.add_done_callback(lambda _: callback())

    async def _wait_for_the_end(self, error: NanoBananaError) -> None:
        await self._closing.wait()
        self.dispatcher.stop(error)
        await self.dispatcher.posts_answered(within=self._settings.request_timeout)

    async def _end_readers(self) -> None:
        for reader in self._readers:
            reader.cancel()
        if self._readers:
            _, left = await asyncio.wait(self._readers, timeout=_READERS_GRACE)
            if left:
                _logger.warning("A source of generate_many does not end though it was cancelled")

    def _name_unfinished(self) -> None:
        ids = list(self.tracker.tasks)
        if ids:
            _logger.warning(
                "Closed with %d tasks still running at the API: %s%s",
                len(ids),
                ", ".join(ids[:_NAMED]),
                ", …" if len(ids) > _NAMED else "",
                extra={"task_ids": ids},
            )

    # Figures

    def expected_wait(self, *, bulk: bool) -> float:
        """Return the seconds for which a call made now would wait in line."""
        now = self.loop.time()
        opens_at = max(self._gateway.opens_at(now), self.submits.opens_at)
        # While a request finds out whether some trouble is over, nothing is known.
        paused = max(opens_at - now, 0.0) if opens_at < inf else 0.0
        return expected_wait(self.statistics(), bulk=bulk, paused=paused)

    def statistics(self) -> Statistics:
        """Return the figures of this moment."""
        now, counters = self.loop.time(), self._counters
        self._slots.expire(now)
        self.submits.expire(now)
        return Statistics(
            queued=len(self.submits),
            queued_bulk=self.submits.queued_bulk,
            submitting=self._gateway.submitting,
            in_flight=len(self.tracker.tasks),
            slots_left=self._slots.left,
            slots_unknown=self._slots.unknown,
            slots_in_force=self._slots.in_force,
            tokens_left=self._gateway.left(now),
            rate_in_force=self._gateway.rate_in_force(now),
            submits=counters.requests["submit"],
            checks=counters.requests["look"],
            other_requests=counters.requests["balance"],
            refusals=counters.refusals,
            accepted=counters.accepted,
            succeeded=counters.succeeded,
            failed=counters.failed,
            unknown=counters.unknown,
            found=counters.found,
            paid_twice=counters.paid_twice,
            deliveries=counters.deliveries,
            deliveries_refused=counters.deliveries_refused,
            checks_per_task=counters.checks_per_task,
            mean_lag=counters.mean_lag,
            mean_service_time=counters.mean_service_time,
            completions_per_second=counters.completions_per_second(now),
        )
