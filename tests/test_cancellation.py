"""A cancel at every await: nothing leaks, and whatever was paid for is handed out or named.

Each scenario runs once undisturbed, on a loop that counts its callbacks while the victim is alive,
and then once for each of them, with the victim cancelled right before it. Only between two
callbacks can anything else happen in a loop, so these are all the moments there are; none is left
out. Downloads need sockets and threads: there the victim is cancelled at each step of the loop.
"""

import asyncio
import gc
import json
import logging
import os
import random
import selectors
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias, TypeVarTuple, Unpack

import pytest
from attrs import define, evolve, field, frozen

from nanobanana_async import (
    ClientClosedError,
    GenerateMany,
    ImageRequest,
    ImageResult,
    InvalidRequestError,
    Limits,
    NanoBananaClient,
    Polling,
    QueueTimeoutError,
    Statistics,
    SubmitUnknownError,
    Task,
    TaskStatus,
    TaskTimeoutError,
)
from nanobanana_async._wire import Call, NoAnswerError, NotSentError, Reply
from nanobanana_async.emulator import (
    Emulator,
    EmulatorCore,
    MemoryTransport,
    Settings,
    Stuck,
    VirtualTimeLoop,
)
from tests.emulated import EPOCH, Answer, Wire, envelope
from tests.records import Records

REQUEST_TIMEOUT: Final = 30.0
UNKNOWN_HOLD: Final = 5.0
LIMITS: Final = Limits(concurrent_tasks=2)
# More looks are more moments.
OFTEN: Final = Polling(price=0.02)
# After this long without a call, every place in the window ledger is free again.
REST: Final = 61 + REQUEST_TIMEOUT
AT_ONCE: Final = 1e-3  # the clock takes tiny steps where no time passes

Arguments = TypeVarTuple("Arguments")


class CancellingLoop(VirtualTimeLoop):
    """Counts callbacks while its victim is alive, and cancels the victim right before one."""

    def __init__(self, cancel_before: int | None) -> None:
        super().__init__()
        self.callbacks = 0
        self.cancelled = False
        self._cancel_before = cancel_before
        self._victim: asyncio.Task[None] | None = None

    def watch(self, victim: asyncio.Task[None]) -> None:
        self._victim = victim

    def call_soon(
        self,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        return super().call_soon(self._count, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return super().call_at(when, self._count, callback, *args, context=context)

    def _count(self, callback: Callable[[Unpack[Arguments]], object], *args: *Arguments) -> None:
        if self._victim is not None and self._victim.done():
            self._victim = None  # it holds its frames, and they hold what a test must see dropped
        if self._victim is not None:
            if self.callbacks == self._cancel_before:
                self.cancelled = self._victim.cancel()
            self.callbacks += 1
        callback(*args)


@define
class Watched(Wire):
    """Knows whose task is whose, loses the answer to one prompt's submit, notes its closing."""

    lost: str | None = None
    prompts: dict[str, str] = field(factory=dict)
    """The prompt of each task id that an answer has told."""
    closed: bool = False

    async def send(self, call: Call, timeout: float) -> Reply:
        reply = await super().send(call, timeout)
        if call.method == "POST" and reply.status == 200:
            prompt = prompt_of(call)
            if prompt == self.lost:
                raise NoAnswerError("lost")
            self.prompts[json.loads(reply.body)["data"]["taskId"]] = prompt
        return reply

    async def aclose(self) -> None:
        self.closed = True
        await super().aclose()

    def posts(self) -> list[tuple[float, str]]:
        """The time and the prompt of each submit that left."""
        return [(time, prompt_of(call)) for time, call in self.calls if call.method == "POST"]


@define
class World:
    """A client, its emulator, and what became of the calls."""

    client: NanoBananaClient
    wire: Watched
    delivered: set[str] = field(factory=set)
    named: set[str] = field(factory=set)
    """Prompts of which a caller was told in an error that they may be running, or do."""
    others: list[asyncio.Task[ImageResult]] = field(factory=list)
    """Calls beside the victim's."""
    beside: list[asyncio.Task[TaskStatus]] = field(factory=list)
    handle: Task | None = None
    run: GenerateMany | None = None
    kept: asyncio.Task[None] | None = None
    closing_from: float | None = None

    def call(self, prompt: str) -> asyncio.Task[ImageResult]:
        call = asyncio.create_task(self.client.generate(asked(prompt)))
        self.others.append(call)
        return call

    def take(self, result: ImageResult | None) -> None:
        assert result is not None
        assert result.urls
        self.delivered.add(self.wire.prompts[result.task_id])

    async def take_all(self) -> None:
        """Wait for the calls beside; only the closing of the client may fail one."""
        await asyncio.gather(*self.beside)
        closing = self.closing_from is not None
        for ended in await asyncio.gather(*self.others, return_exceptions=True):
            match ended:
                case ImageResult():
                    self.take(ended)
                case SubmitUnknownError(request=ImageRequest(prompt=prompt)) if closing:
                    self.named.add(prompt)
                case ClientClosedError(task_id=str(task_id)) if closing:
                    self.named.add(self.wire.prompts[task_id])
                case ClientClosedError(task_id=None) if closing:
                    pass  # it was not sent
                case _:
                    raise AssertionError(f"another caller was hurt: {ended!r}")


Part: TypeAlias = Callable[[World], Coroutine[Any, Any, None]]


def asked(prompt: str) -> ImageRequest:
    """A request whose key says whose it is, since a log record tells the key alone."""
    return ImageRequest(prompt, key=prompt)


def prompt_of(call: Call) -> str:
    return str(json.loads(call.body or b"")["input"]["prompt"])


def now() -> float:
    return asyncio.get_running_loop().time()


async def slots_taken(world: World) -> None:
    """Two tasks run in the only two slots."""
    world.call("first")
    world.call("second")
    await asyncio.sleep(0.5)


async def nothing(_: World) -> None:
    """The victim's is the first call of its client."""


@frozen(kw_only=True)
class Scenario:
    """What the victim does, and what goes on around it."""

    victim: Part
    before: Part = nothing
    after: Part = nothing
    answers: Callable[[], Callable[[Call], Answer]] | None = None
    lost: str | None = None
    service: float = 1.5
    round_trip: float = 0.3
    kind: type[NanoBananaClient] = NanoBananaClient

    def cancel_everywhere(self) -> int:
        """Run with a cancel before each callback; return how many there were."""
        with recorded() as records:
            points = self._run(None, records).callbacks
            for point in range(points):
                try:
                    assert self._run(point, records).cancelled
                except BaseException as error:
                    error.add_note(f"The victim was cancelled before callback {point} of {points}")
                    raise
            gc.collect()
            check_nothing_forgotten(records)
        return points

    def _run(self, cancel_before: int | None, records: list[logging.LogRecord]) -> CancellingLoop:
        random.seed(1)
        records.clear()
        loop = CancellingLoop(cancel_before)
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._main(loop, records))
        return loop

    async def _main(self, loop: CancellingLoop, records: list[logging.LogRecord]) -> None:
        itself = asyncio.all_tasks()
        world = self._open()
        try:
            async with world.client:
                ended_at = await self._cancel(world, loop, records)
                figures = world.client.statistics()
        finally:
            # Where a check has failed, too: an error that nobody asks for is logged much later.
            await asyncio.gather(*world.others, *world.beside, return_exceptions=True)
        check_tasks_left(itself)
        assert world.wire.closed
        check_withdrawn(world, ended_at)
        check_idle(figures, closed=world.closing_from is not None)
        check_accounts(world, records)
        check_nothing_forgotten(records)

    async def _cancel(
        self, world: World, loop: CancellingLoop, records: list[logging.LogRecord]
    ) -> float:
        """Let it happen, and everything after it; return when the victim had ended."""
        await self.before(world)
        records.clear()
        victim = asyncio.create_task(self.victim(world))
        loop.watch(victim)
        world.call("later")
        await asyncio.wait([victim])
        check_end_of(victim, cancelled=loop.cancelled)
        del victim  # it would keep what its frames hold alive
        ended_at = now()
        await self.after(world)
        await world.take_all()
        await asyncio.sleep(REST)
        return ended_at

    def _open(self) -> World:
        settings = Settings(service=Stuck(self.service), concurrent_tasks=2)
        core = EmulatorCore(settings, epoch=EPOCH)
        wire = Watched(MemoryTransport(core, round_trip=self.round_trip), lost=self.lost)
        if self.answers is not None:
            wire.answers = self.answers()
        client = self.kind(
            transport=wire,
            limits=LIMITS,
            polling=OFTEN,
            request_timeout=REQUEST_TIMEOUT,
            unknown_hold=UNKNOWN_HOLD,
        )
        return World(client, wire)


# What must hold after each cancellation


def check_end_of(victim: asyncio.Task[None], *, cancelled: bool) -> None:
    """A cancel that was accepted reaches the caller, and no other error does."""
    error = None if victim.cancelled() else victim.exception()
    if cancelled:
        assert victim.cancelled(), f"the cancel was swallowed: {error!r}"
    elif error is not None:
        raise error


def check_tasks_left(itself: set[asyncio.Task[Any]]) -> None:
    left = asyncio.all_tasks() - itself
    assert not left, f"left behind: {left}"


def check_withdrawn(world: World, ended_at: float) -> None:
    """For a caller who has gone, and on closing, nothing is sent; and nothing ever twice."""
    twice = world.wire.core.ledger(now()).accepted_twice
    assert not twice, f"accepted twice: {twice}"
    closing_from = world.closing_from
    for time, prompt in world.wire.posts():
        if prompt.startswith("victim"):
            assert time < ended_at + AT_ONCE, f"{prompt} was sent for nobody"
        if closing_from is not None:
            assert time < closing_from + AT_ONCE, f"{prompt} was sent on closing"


def check_idle(figures: Statistics, *, closed: bool) -> None:
    """Every slot and every token is there again. A closed client's figures are its last ones."""
    assert (figures.queued, figures.submitting) == (0, 0)
    if not closed:
        assert (figures.in_flight, figures.slots_unknown) == (0, 0)
        assert figures.slots_left == LIMITS.concurrent_tasks
        assert figures.tokens_left == LIMITS.requests_per_minute


def check_accounts(world: World, records: list[logging.LogRecord]) -> None:
    """What was accepted was handed out or named, and not both."""
    logged = Counter(named_in(records, world.wire.prompts))
    known = {*world.delivered, *world.named, *logged}
    unknown = set(world.wire.core.ledger(now()).accepted_by_prompt) - known
    assert not unknown, f"paid for, and neither handed out nor named: {unknown}"
    if world.closing_from is None:
        assert not world.delivered & set(logged), "named, though it was handed out"
        assert set(logged.values()) <= {1}, f"named more than once: {logged}"


def named_in(records: list[logging.LogRecord], prompts: dict[str, str]) -> Iterator[str]:
    """The prompts of what the log names as paid for without a caller, or perhaps so."""
    for record in map(vars, records):
        if record.get("urls"):
            yield prompts[record["task_id"]]
        yield from (prompts[task_id] for task_id in record.get("task_ids", ()))
        if record["levelno"] == logging.ERROR and record.get("key"):
            yield record["key"]


def check_nothing_forgotten(records: list[logging.LogRecord]) -> None:
    """No task was destroyed while pending, and no exception was never retrieved."""
    assert [record.getMessage() for record in records if record.name == "asyncio"] == []


@contextmanager
def recorded() -> Iterator[list[logging.LogRecord]]:
    handler = Records()
    logging.getLogger().addHandler(handler)
    try:
        yield handler.records
    finally:
        logging.getLogger().removeHandler(handler)


# Calls


async def generate(world: World) -> None:
    world.take(await world.client.generate(asked("victim")))


async def submit(world: World) -> None:
    await world.client.submit(asked("victim"))


async def submit_and_wait(world: World) -> None:
    task = await world.client.submit(asked("victim"))
    world.take(await task)


async def balance(world: World) -> None:
    await world.client.balance()


async def too_late(world: World) -> None:
    with pytest.raises((QueueTimeoutError, TaskTimeoutError)):
        await world.client.generate(asked("victim"), timeout=1.0)


@pytest.mark.parametrize(
    ("victim", "before", "least"),
    [
        (generate, nothing, 35),
        (generate, slots_taken, 60),
        (submit, nothing, 15),
        (submit, slots_taken, 50),
        (submit_and_wait, nothing, 35),
        (submit_and_wait, slots_taken, 60),
        (too_late, nothing, 20),
        (too_late, slots_taken, 10),
        (balance, nothing, 10),
        (balance, slots_taken, 10),
    ],
)
def test_a_call(victim: Part, before: Part, least: int) -> None:
    """Waiting in line, being sent, running, finishing; its first step and its last one, too."""
    assert Scenario(victim=victim, before=before).cancel_everywhere() >= least


def instead(answer: Answer) -> Callable[[], Callable[[Call], Answer]]:
    """Give `answer` to the victim's first submit in each run."""

    def begin() -> Callable[[Call], Answer]:
        answers = iter([answer])
        return lambda call: next(answers, None) if b"victim" in (call.body or b"") else None

    return begin


@pytest.mark.parametrize(
    "answer",
    [NotSentError("unreachable"), envelope(429), envelope(503), envelope(401)],
    ids=["not sent", "429", "503", "401"],
)
def test_a_call_whose_submit_is_sent_again(answer: Answer) -> None:
    """It goes back to the queue; for a caller who has left, nothing is sent again."""
    scenario = Scenario(victim=generate, before=one_slot_taken, answers=instead(answer))
    assert scenario.cancel_everywhere() >= 60


async def one_slot_taken(world: World) -> None:
    world.call("first")
    await asyncio.sleep(0.5)


async def unknown(world: World) -> None:
    with pytest.raises(SubmitUnknownError) as caught:
        await world.client.generate(asked("victim"))
    assert caught.value.request is not None
    world.named.add(caught.value.request.prompt)


def test_a_call_whose_answer_is_lost() -> None:
    """It was accepted: the caller is told, or the log says that it may have been."""
    scenario = Scenario(victim=unknown, before=one_slot_taken, lost="victim")
    assert scenario.cancel_everywhere() >= 8


async def refused(world: World) -> None:
    with pytest.raises(InvalidRequestError):
        await world.client.generate(asked("victim"))


def test_a_call_that_is_refused() -> None:
    scenario = Scenario(victim=refused, before=one_slot_taken, answers=instead(envelope(400)))
    assert scenario.cancel_everywhere() >= 8


# Handles


async def one_handle(world: World) -> None:
    """Somebody else holds the handle and awaits it."""
    task = await world.client.submit(asked("shared"))
    world.handle = task
    world.others.append(asyncio.create_task(task.result()))


async def result(world: World) -> None:
    assert world.handle is not None
    world.take(await world.handle)


async def status(world: World) -> None:
    assert world.handle is not None
    assert (await world.handle.status()).task_id == world.handle.id


async def status_twice(world: World) -> None:
    """Another caller joins the look that the victim asked for."""
    assert world.handle is not None
    world.beside.append(asyncio.create_task(world.handle.status()))
    await world.handle.status()


async def status_before_the_answer(world: World) -> None:
    """The handle of a call whose time was over during its submit has no id yet."""
    try:
        await world.client.submit(asked("victim"), timeout=0.1)
    except TaskTimeoutError as error:
        task = error.task
    assert task is not None
    assert (await task.status()).task_id == task.id


async def task_of_an_earlier_client(world: World) -> None:
    async with NanoBananaClient(transport=Watched(world.wire.memory)) as earlier:
        world.handle = await earlier.submit(asked("shared"))
    world.wire.prompts[str(world.handle.id)] = "shared"
    world.named.add("shared")


async def adopted(world: World) -> None:
    assert world.handle is not None
    world.take(await world.client.task(str(world.handle.id)))


def test_a_task_picked_up_by_its_id() -> None:
    scenario = Scenario(victim=adopted, before=task_of_an_earlier_client)
    assert scenario.cancel_everywhere() >= 30


@pytest.mark.parametrize(
    ("victim", "least"),
    [
        (result, 25),
        (status, 8),
        (status_twice, 8),
        (status_before_the_answer, 18),
    ],
)
def test_a_handle(victim: Part, least: int) -> None:
    assert Scenario(victim=victim, before=one_handle).cancel_everywhere() >= least


# Many at once


def many(start: str, count: int = 5) -> list[ImageRequest]:
    return [asked(f"{start} {number}") for number in range(count)]


async def slowly() -> AsyncIterator[ImageRequest]:
    """A source that awaits, also while it is being closed."""
    try:
        for request in many("victim"):
            await asyncio.sleep(0.4)
            yield request
    finally:
        await asyncio.sleep(0.2)


async def consume(world: World) -> None:
    async for outcome in world.client.generate_many(many("victim")):
        world.take(outcome.result)


async def consume_slowly(world: World) -> None:
    """Several pictures are finished and not handed out yet."""
    async for outcome in world.client.generate_many(many("victim")):
        world.take(outcome.result)
        await asyncio.sleep(2)


async def consume_as_it_is_read(world: World) -> None:
    async for outcome in world.client.generate_many(slowly()):
        world.take(outcome.result)


async def leave_early(world: World) -> None:
    async with world.client.generate_many(many("victim")) as run:
        async for outcome in run:
            world.take(outcome.result)
            if len(world.delivered) == 2:
                break


async def leave_while_it_is_read(world: World) -> None:
    async with world.client.generate_many(slowly()) as run:
        async for outcome in run:
            world.take(outcome.result)
            break


async def with_time_outs(world: World) -> None:
    """The time of each is over while it waits in line, is being sent, or runs."""
    async for outcome in world.client.generate_many(many("victim"), timeout=1.0):
        assert isinstance(outcome.error, QueueTimeoutError | TaskTimeoutError)


async def one_is_lost(world: World) -> None:
    async for outcome in world.client.generate_many(many("victim")):
        if isinstance(outcome.error, SubmitUnknownError):
            world.named.add(outcome.request.prompt)
        else:
            world.take(outcome.result)


@pytest.mark.parametrize(
    ("victim", "least"),
    [
        (consume, 100),
        (consume_slowly, 100),
        (consume_as_it_is_read, 120),
        (leave_early, 60),
        (leave_while_it_is_read, 35),
        (with_time_outs, 20),
    ],
)
def test_many_at_once(victim: Part, least: int) -> None:
    """Its consumer is cancelled, and nobody else has the run: what was not sent is withdrawn."""
    assert Scenario(victim=victim).cancel_everywhere() >= least


def test_many_of_which_one_answer_is_lost() -> None:
    """That outcome may be what waits to be handed out when the consumer leaves."""
    scenario = Scenario(victim=one_is_lost, lost="victim 0")
    assert scenario.cancel_everywhere() >= 100


async def begin_a_run(world: World) -> None:
    world.run = world.client.generate_many(many("shared"))


async def first_of_them(world: World) -> None:
    assert world.run is not None
    world.take((await anext(world.run)).result)
    world.take((await anext(world.run)).result)


async def the_rest_of_them(world: World) -> None:
    """Whoever goes on with the run misses nothing that the cancelled one was not given."""
    assert world.run is not None
    async for outcome in world.run:
        world.take(outcome.result)
    assert {f"shared {number}" for number in range(5)} <= world.delivered


def test_another_consumer_goes_on_with_the_run() -> None:
    scenario = Scenario(victim=first_of_them, before=begin_a_run, after=the_rest_of_them)
    assert scenario.cancel_everywhere() >= 50


# Closing


async def everything_at_once(world: World) -> None:
    """One task runs, one submit is under way, and one call is queued."""
    world.call("running")
    await asyncio.sleep(1.5 * world.wire.memory.round_trip)
    world.call("being sent")
    await asyncio.sleep(0.25 * world.wire.memory.round_trip)
    world.call("queued")
    await asyncio.sleep(0)


async def a_caller_has_gone(world: World) -> None:
    """Two submits are under way, one of them for nobody any more."""
    gone = world.call("being sent for nobody")
    world.others.remove(gone)
    await asyncio.sleep(0.25 * world.wire.memory.round_trip)
    gone.cancel()
    world.call("being sent")
    world.call("queued")
    await asyncio.sleep(0)


async def close(world: World) -> None:
    world.closing_from = now()
    await world.client.aclose()


async def close_in_time(world: World) -> None:
    """A time-out that is over cancels, too: the victim's cancel is the second one."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await close(world)


async def closed_for_good(world: World) -> None:
    """Everything has ended when `aclose` has, also where that was by a cancel."""
    if world.closing_from is not None:  # else the cancel came before its first step
        assert world.wire.closed
        await asyncio.wait(world.others)
        check_tasks_left({task for task in (asyncio.current_task(),) if task is not None})


@pytest.mark.parametrize("before", [everything_at_once, a_caller_has_gone])
@pytest.mark.parametrize("round_trip", [0.3, 8.0], ids=["quick", "slower than the grace"])
def test_closing(before: Part, round_trip: float) -> None:
    """Cancelled it leaves as little behind; a submit cut off is told to be perhaps paid for."""
    scenario = Scenario(
        victim=close, before=before, after=closed_for_good, round_trip=round_trip, service=30.0
    )
    assert scenario.cancel_everywhere() >= 10


def test_closing_cancelled_twice() -> None:
    scenario = Scenario(
        victim=close_in_time,
        before=everything_at_once,
        after=closed_for_good,
        round_trip=8.0,
        service=30.0,
    )
    assert scenario.cancel_everywhere() >= 10


async def program(world: World) -> None:
    """The victim opens a client of its own and leaves it as it is cancelled."""
    async with NanoBananaClient(transport=world.wire, limits=LIMITS) as client:
        world.take(await client.generate(asked("victim")))
        await client.submit(asked("victim, unawaited"))


def test_a_client_left_because_of_the_cancel() -> None:
    assert Scenario(victim=program).cancel_everywhere() >= 30


# Downloads


class Stepping(selectors.DefaultSelector):
    """Counts the steps of its loop while its victim is alive, and cancels the victim at one."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self._cancel_at: int | None = None
        self._victim: asyncio.Task[Any] | None = None

    def watch(self, victim: asyncio.Task[Any], cancel_at: int | None) -> None:
        self.steps, self._victim, self._cancel_at = 0, victim, cancel_at

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(timeout)
        if self._victim is not None and not self._victim.done():
            if self.steps == self._cancel_at:
                self._victim.cancel()
            self.steps += 1
        return events


def open_files() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - only their number counts


async def all_gone(files: int, tasks: set[asyncio.Task[Any]]) -> None:
    """Give the server a moment to hear that a connection was closed; then it must be as before."""
    until = now() + 5
    while (open_files() > files or asyncio.all_tasks() > tasks) and now() < until:
        await asyncio.sleep(0.001)
    assert open_files() <= files, "a socket or a file was left open"
    assert asyncio.all_tasks() <= tasks, "a task was left behind"


def in_real_time(main: Callable[[Stepping], Coroutine[Any, Any, int]]) -> int:
    """Run on a loop whose steps are counted; in the end no thread may be left."""
    selector, threads = Stepping(), set(threading.enumerate())
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        found = runner.run(main(selector))
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)
        assert not thread.is_alive(), f"left behind: {thread}"
    return found


Download: TypeAlias = Callable[[NanoBananaClient, ImageResult, Path], Coroutine[Any, Any, object]]


async def finished(client: NanoBananaClient, output_format: str) -> ImageResult:
    """Generate one; by asking as soon as it is finished, a second is saved."""
    task = await client.submit(
        "a cat", aspect_ratio="1:1", resolution="1K", output_format=output_format
    )
    await asyncio.sleep(0.06)
    await task.status()
    return await task


async def cancel_downloads(
    download: Download, output_format: str, folder: Path, settings: dict[str, Any], at: Stepping
) -> int:
    """Cancel a download at each of its steps, until one ends before its step has come."""
    async with Emulator(speed=100, service=Stuck(5.0), **settings) as emulator:
        async with NanoBananaClient("sk-emulator", base_url=emulator.url) as client:
            result = await finished(client, output_format)
            await download(client, result, folder / "whole")
        whole = {path.name: path.read_bytes() for path in (folder / "whole").iterdir()}
        await asyncio.sleep(0.01)
        files, tasks = open_files(), asyncio.all_tasks()
        for point in range(10_000):
            place = folder / str(point)
            async with NanoBananaClient("sk-emulator", base_url=emulator.url) as client:
                victim = asyncio.create_task(download(client, result, place))
                at.watch(victim, point)
                await asyncio.wait([victim])
            await all_gone(files, tasks)
            check_files(place, whole)
            if not victim.cancelled():
                victim.result()
                assert {path.name for path in place.iterdir()} == set(whole)
                break
    return point


def check_files(place: Path, whole: dict[str, bytes]) -> None:
    """What is there is a whole picture under its own name."""
    for path in place.iterdir() if place.exists() else ():
        assert path.read_bytes() == whole.get(path.name), f"half a file: {path}"


async def one(client: NanoBananaClient, result: ImageResult, place: Path) -> None:
    await client.download(result, place / "cafe")


async def two(client: NanoBananaClient, result: ImageResult, place: Path) -> None:
    await client.download_all(result, place / "cafe")


@pytest.mark.parametrize(
    ("download", "output_format", "settings"),
    [(one, "png", {"full_size": True}), (two, "jpeg", {"pictures": 2})],
    ids=["one", "two"],
)
def test_a_download(
    tmp_path: Path, download: Download, output_format: str, settings: dict[str, Any]
) -> None:
    """Connecting, each chunk, each write in a thread, putting it in its place."""
    steps = in_real_time(partial(cancel_downloads, download, output_format, tmp_path, settings))
    assert steps >= 15
    assert len(list((tmp_path / "whole").iterdir())) == settings.get("pictures", 1)


async def cancel_between_two_tries(folder: Path, _: Stepping) -> int:
    async with Emulator(speed=100, service=Stuck(5.0), faults={"download_503": 1.0}) as emulator:
        files, tasks = open_files(), asyncio.all_tasks()
        async with NanoBananaClient("sk-emulator", base_url=emulator.url) as client:
            result = await finished(client, "jpeg")
            victim = asyncio.create_task(one(client, result, folder))
            while not emulator.ledger().requests["download"]:
                await asyncio.sleep(0.001)
            await asyncio.wait([victim], timeout=0.2)  # the pause is far longer
            victim.cancel()
            await asyncio.wait([victim])
            assert victim.cancelled()
        await all_gone(files, tasks)
        return emulator.ledger().requests["download"]


def test_a_download_between_two_tries(tmp_path: Path) -> None:
    assert in_real_time(partial(cancel_between_two_tries, tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []


# The tests above can fail


class Leaky(NanoBananaClient):
    """Its figures are what they would be after a leak."""

    leaks: ClassVar[dict[str, int]] = {}

    def statistics(self) -> Statistics:
        figures = super().statistics()
        changed = {name: getattr(figures, name) + more for name, more in self.leaks.items()}
        return evolve(figures, **changed)


async def swallows(world: World) -> None:
    with suppress(asyncio.CancelledError):
        await generate(world)


async def raises_another(world: World) -> None:
    try:
        await generate(world)
    except asyncio.CancelledError:
        raise LookupError from None


async def leaves_a_task(world: World) -> None:
    try:
        await generate(world)
    finally:
        world.kept = asyncio.create_task(asyncio.sleep(10 * REST))


async def sends_again(world: World) -> None:
    try:
        await generate(world)
    except asyncio.CancelledError:
        if "victim" in (prompt for _, prompt in world.wire.posts()):
            world.call("victim")
        raise


async def sends_later(world: World) -> None:
    try:
        await generate(world)
    except asyncio.CancelledError:
        world.kept = asyncio.create_task(sent_after(1, world))
        raise


async def sent_after(seconds: float, world: World) -> None:
    await asyncio.sleep(seconds)
    await world.client.submit(asked("victim 2"))


async def hurts_another(world: World) -> None:
    try:
        await generate(world)
    except asyncio.CancelledError:
        world.others[0].cancel()
        raise


async def keeps_it_to_itself(world: World) -> None:
    world.handle = await world.client.submit(asked("victim"))
    await world.handle


@pytest.mark.parametrize(
    ("victim", "told"),
    [
        (swallows, "the cancel was swallowed"),
        (raises_another, "the cancel was swallowed"),
        (leaves_a_task, "left behind"),
        (sends_again, "accepted twice"),
        (sends_later, "sent for nobody"),
        (hurts_another, "another caller was hurt"),
        (keeps_it_to_itself, "neither handed out nor named"),
    ],
)
def test_a_broken_promise_is_noticed(victim: Part, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        Scenario(victim=victim, before=one_slot_taken).cancel_everywhere()


@pytest.mark.parametrize(
    "leaks",
    [
        {"slots_left": -1},
        {"tokens_left": -1},
        {"queued": 1},
        {"submitting": 1},
        {"in_flight": 1},
        {"slots_unknown": 1},
    ],
    ids=str,
)
def test_a_leak_is_noticed(monkeypatch: pytest.MonkeyPatch, leaks: dict[str, int]) -> None:
    monkeypatch.setattr(Leaky, "leaks", leaks)
    with pytest.raises(AssertionError):
        Scenario(victim=submit, kind=Leaky).cancel_everywhere()
