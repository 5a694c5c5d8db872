"""The life of a client in a program: entered here, left there, cut short anywhere.

Over real sockets, on asyncio's own loop and on uvloop. After each, nothing is left: no task, no
socket, no thread, and no complaint of the loop or of the garbage collector.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import aiohttp
import anyio
import pytest
import uvloop
from anyio.abc import TaskStatus

import nanobanana_async
from nanobanana_async import (
    ClientClosedError,
    ImageResult,
    Limits,
    NanoBananaClient,
    WrongLoopError,
)
from nanobanana_async._wire import Call, Reply
from nanobanana_async.emulator import Emulator, Stuck

LOOPS: Final[dict[str, Callable[[], asyncio.AbstractEventLoop]]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
LIBRARY: Final = Path(nanobanana_async.__file__).parent
QUICK: Final = Stuck(1.0)
ENDLESS: Final = Stuck(1e9)

Main: TypeAlias = Callable[[Emulator], Awaitable[None]]
Run: TypeAlias = Callable[..., None]


def open_sockets() -> int:
    """Count this process's sockets."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the descriptor of this very listing
            count += link.readlink().name.startswith("socket:")
    return count


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that no event tells, and not for ever."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@contextmanager
def nothing_left() -> Iterator[None]:
    """No socket and no thread more than before."""
    sockets, threads = open_sockets(), set(threading.enumerate())
    yield
    gc.collect()  # what complains when it is collected does so now; complaints are errors here
    assert open_sockets() == sockets
    assert set(threading.enumerate()) == threads


def tasks_of_clients() -> list[asyncio.Task[Any]]:
    """The library's own tasks that run in this loop."""
    return [task for task in asyncio.all_tasks() if _is_a_client_s(task)]


def _is_a_client_s(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and Path(code.co_filename).parent == LIBRARY


@pytest.fixture(params=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    """Run a program on a loop of each kind, beside an emulator, and see what it leaves."""

    def runs(main: Main, *, tidy: bool = True, **settings: Any) -> None:
        complaints: list[dict[str, Any]] = []

        async def watched() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            before = asyncio.all_tasks()
            served: dict[str, Any] = {"speed": 1_000, "service": QUICK} | settings
            async with Emulator(**served) as emulator:
                await main(emulator)
                assert not (tidy and tasks_of_clients())
            await asyncio.sleep(0)
            assert not tidy or asyncio.all_tasks() == before

        with nothing_left(), asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(watched())
        assert complaints == []

    return runs


def client_of(emulator: Emulator, **options: Any) -> NanoBananaClient:
    return NanoBananaClient("sk-emulator", base_url=emulator.url, **options)


async def ended(*tasks: asyncio.Task[Any]) -> list[Any]:
    """What became of tasks, errors and cancellations included."""
    return await asyncio.gather(*tasks, return_exceptions=True)


class TestALifespan:
    def test_entered_in_one_task_used_in_others_and_left_in_a_third(self, run: Run) -> None:
        async def main(emulator: Emulator) -> None:
            client = client_of(emulator)
            entering = asyncio.create_task(client.__aenter__())
            assert await entering is client
            del entering
            gc.collect()  # the task that entered has gone for good
            requests = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(20)]
            results = await asyncio.gather(*requests)
            assert all(isinstance(result, ImageResult) for result in results)
            await asyncio.create_task(client.__aexit__(None, None, None))

        run(main)

    def test_in_a_task_group_of_anyio_s(self, run: Run) -> None:
        """As a server on anyio does: the lifespan's task waits while others serve."""

        async def main(emulator: Emulator) -> None:
            shutdown = anyio.Event()

            async def lifespan(*, task_status: TaskStatus[NanoBananaClient]) -> None:
                async with client_of(emulator) as client:
                    task_status.started(client)
                    await shutdown.wait()

            async with anyio.create_task_group() as server:
                client = await server.start(lifespan)
                async with anyio.create_task_group() as requests:
                    for number in range(20):
                        requests.start_soon(client.submit, f"cat {number}")
                shutdown.set()
            assert emulator.ledger().accepted == 20

        run(main, service=ENDLESS)

    def test_whose_task_is_cancelled_while_requests_wait(self, run: Run) -> None:
        async def main(emulator: Emulator) -> None:
            opened: asyncio.Future[NanoBananaClient] = asyncio.Future()

            async def lifespan() -> None:
                async with client_of(emulator) as client:
                    opened.set_result(client)
                    await asyncio.Event().wait()

            living = asyncio.create_task(lifespan())
            client = await opened
            request = asyncio.create_task(client.generate("a cat"))
            await until(lambda: client.statistics().in_flight == 1)
            living.cancel()
            [left], [told] = await ended(living), await ended(request)
            assert isinstance(left, asyncio.CancelledError)
            assert isinstance(told, ClientClosedError)
            assert told.task_id is not None

        run(main, service=ENDLESS)


class TestCutShort:
    def test_at_any_of_the_first_steps(self, run: Run) -> None:
        """Whatever the start waits for is where it can be cancelled."""

        async def main(emulator: Emulator) -> None:
            async def start(client: NanoBananaClient) -> None:
                async with client:
                    await client.generate("a cat")

            for steps in range(25):
                starting = asyncio.create_task(start(client_of(emulator)))
                for _ in range(steps):
                    await asyncio.sleep(0)
                starting.cancel()
                [outcome] = await ended(starting)
                assert isinstance(outcome, asyncio.CancelledError)

        run(main, service=ENDLESS)

    def test_while_entering(self, run: Run) -> None:
        async def main(emulator: Emulator) -> None:
            for steps in range(5):
                client = client_of(emulator)
                entering = asyncio.create_task(client.__aenter__())
                for _ in range(steps):
                    await asyncio.sleep(0)
                entering.cancel()
                await ended(entering)  # who does not get in leaves nothing behind
                assert not tasks_of_clients() or not entering.cancelled()
                await client.aclose()

        run(main)

    def test_while_closing_a_submit_under_way_is_still_awaited(self, run: Run) -> None:
        async def main(emulator: Emulator) -> None:
            async with closing_during_a_post(emulator) as (closing, caller):
                closing.cancel()
                with within(3):
                    [left], [told] = await ended(closing), await ended(caller)
            assert isinstance(left, asyncio.CancelledError)
            assert isinstance(told, ClientClosedError)
            assert told.task_id is not None

        run(main, service=ENDLESS, latency=0.3)

    def test_while_closing_again_and_again(self, run: Run) -> None:
        """A time-out around a shutdown that is stopped itself: still nothing may be left."""

        async def main(emulator: Emulator) -> None:
            async with closing_during_a_post(emulator) as (closing, caller):
                with within(3):
                    while not closing.done():
                        closing.cancel()
                        await asyncio.wait([closing], timeout=0.05)
                    [told] = await ended(caller)
            assert isinstance(told, Exception)

        run(main, service=ENDLESS, latency=0.3)

    def test_by_a_cancel_scope_of_anyio_s(self, run: Run) -> None:
        """A cancelled scope cancels at every await until it is left, in the closing too."""

        async def main(emulator: Emulator) -> None:
            told: list[ClientClosedError] = []

            async def generate(client: NanoBananaClient) -> None:
                try:
                    await client.generate("a cat")
                except ClientClosedError as error:
                    told.append(error)

            with anyio.CancelScope() as scope, within(3):
                async with client_of(emulator) as client:
                    caller = asyncio.create_task(generate(client))
                    await until(lambda: client.statistics().submitting == 1)
                    scope.cancel()
                    await anyio.sleep_forever()
            assert scope.cancelled_caught
            await caller
            assert [error.task_id is not None for error in told] == [True]

        run(main, service=ENDLESS, latency=0.3)

    def test_while_closing_and_tasks_run(self, run: Run, caplog: pytest.LogCaptureFixture) -> None:
        async def main(emulator: Emulator) -> None:
            client = client_of(emulator)
            tasks = [await client.submit(f"cat {number}") for number in range(3)]
            closing = asyncio.create_task(client.aclose())
            await asyncio.sleep(0)
            closing.cancel()
            with within(1):
                await ended(closing)
            [record] = (record for record in caplog.records if hasattr(record, "task_ids"))
            assert record.task_ids == [task.id for task in tasks]

        run(main, service=ENDLESS)


@asynccontextmanager
async def closing_during_a_post(
    emulator: Emulator,
) -> AsyncIterator[tuple[asyncio.Task[None], asyncio.Task[ImageResult]]]:
    """A client that has begun to close while a submit is under way; the closing and the caller."""
    client = client_of(emulator)
    caller = asyncio.create_task(client.generate("a cat"))
    await until(lambda: client.statistics().submitting == 1)
    closing = asyncio.create_task(client.aclose())
    await asyncio.sleep(0)
    yield closing, caller


class TestClosing:
    def test_twice_at_once_and_once_more(self, run: Run) -> None:
        async def main(emulator: Emulator) -> None:
            async with client_of(emulator) as client:
                await client.submit("a cat")
                closings = [asyncio.create_task(client.aclose()) for _ in range(2)]
                assert await ended(*closings) == [None, None]
                await client.aclose()

        run(main, service=ENDLESS)

    def test_one_of_two_is_cancelled(self, run: Run) -> None:
        """The other one still waits for the end."""

        async def main(emulator: Emulator) -> None:
            client = client_of(emulator)
            task = await client.submit("a cat")
            first, second = (asyncio.create_task(client.aclose()) for _ in range(2))
            await asyncio.sleep(0)
            first.cancel()
            [one, other] = await ended(first, second)
            assert isinstance(one, asyncio.CancelledError)
            assert other is None
            assert task.id is not None

        run(main, service=ENDLESS)

    def test_a_hundred_who_wait_are_told_and_so_is_a_handle_that_nobody_awaits(
        self, run: Run
    ) -> None:
        async def main(emulator: Emulator) -> None:
            client = client_of(emulator, limits=Limits(concurrent_tasks=1))
            handle = await client.submit("running")
            calls = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(100)]
            await until(lambda: client.statistics().queued == 100)
            await client.aclose()
            assert {type(told) for told in await ended(*calls)} == {ClientClosedError}
            assert handle.id is not None

        run(main, service=ENDLESS)

    def test_forgotten_it_ends_with_the_program(
        self, run: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A client that is collected without having been closed: said, if a task runs."""

        async def main(emulator: Emulator) -> None:
            client = client_of(emulator)
            await client.submit("a cat")
            del client
            gc.collect()

        run(main, tidy=False, service=ENDLESS)
        assert any(hasattr(record, "task_ids") for record in caplog.records)

    def test_a_session_that_was_closed_before_the_first_use_is_refused(self, run: Run) -> None:
        async def main(emulator: Emulator) -> None:
            async with aiohttp.ClientSession() as given:
                client = client_of(emulator, session=given)
            with pytest.raises(ValueError, match="session is closed"):
                await client.balance()
            await client.aclose()

        run(main)


class TestOtherLoopsAndThreads:
    @pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
    def test_a_second_run_with_the_same_client_is_told(
        self, loop_factory: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        async def first() -> NanoBananaClient:
            async with Emulator() as emulator:
                client = client_of(emulator)
                await client.balance()
                return client

        async def second(client: NanoBananaClient) -> None:
            for use in (client.__aenter__, client.balance, client.aclose):
                with pytest.raises(WrongLoopError):
                    await use()
            for call in (client.generate, client.submit):
                with pytest.raises(WrongLoopError):
                    await call("a cat")
            with pytest.raises(WrongLoopError):
                client.generate_many(["a cat"])
            with pytest.raises(WrongLoopError):
                client.task("task_1")

        with nothing_left():
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                client = runner.run(first())
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(second(client))

    def test_a_call_from_a_thread_is_told(self, run: Run) -> None:
        async def main(emulator: Emulator) -> None:
            async with client_of(emulator) as client:
                await client.balance()
                for call in (
                    lambda: client.task("task_1"),
                    lambda: client.generate_many(["a cat"]),
                    lambda: asyncio.run(client.generate("a cat")),
                ):
                    with pytest.raises(WrongLoopError):
                        await asyncio.to_thread(call)
                assert await client.balance()

        run(main)

    async def test_two_loops_with_a_client_each_work_side_by_side(self) -> None:
        def worker(url: str, factory: Callable[[], asyncio.AbstractEventLoop]) -> int:
            async def work() -> int:
                async with NanoBananaClient("sk-emulator", base_url=url) as client:
                    calls = (client.generate(f"{id(client)} {n}") for n in range(20))
                    return len(await asyncio.gather(*calls))

            with asyncio.Runner(loop_factory=factory) as runner:
                return runner.run(work())

        async with Emulator(speed=1_000, service=QUICK) as emulator:
            threads = (asyncio.to_thread(worker, emulator.url, loop) for loop in LOOPS.values())
            assert await asyncio.gather(*threads) == [20, 20]
        assert not emulator.ledger().accepted_twice


# Ctrl-C

SCRIPT = """
import asyncio, logging, sys
import uvloop
from nanobanana_async import NanoBananaClient

async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)

async def ready(condition):
    await until(condition)
    print("ready", flush=True)

async def generate_many(client):
    watch = asyncio.create_task(ready(lambda: client.statistics().in_flight == 3))
    async with client.generate_many(["a cat", "a dog", "a cow"]) as outcomes:
        async for outcome in outcomes:
            print(outcome)

async def generate(client):
    watch = asyncio.create_task(ready(lambda: client.statistics().in_flight == 10))
    await asyncio.gather(*(client.generate(f"cat {number}") for number in range(10)))

async def submitting(client):
    watch = asyncio.create_task(ready(lambda: client.statistics().submitting == 1))
    try:
        await client.generate("a cat")
    finally:  # told when the closing has come to its wait for the answer
        asyncio.get_running_loop().call_later(0.2, lambda: print("closing", flush=True))

async def closing(client):
    caller = asyncio.create_task(client.generate("a cat"))
    caller.add_done_callback(lambda done: done.exception())
    await ready(lambda: client.statistics().submitting == 1)

async def main():
    async with NanoBananaClient() as client:
        await globals()[sys.argv[1]](client)

logging.basicConfig()
factory = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[sys.argv[2]]
with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
"""

COMPLAINTS = ("destroyed", "Unclosed", "never retrieved", "never awaited", "Exception ignored")


async def interrupted(emulator: Emulator, place: str, loop: str, *, again: bool = False) -> str:
    """Send a script SIGINT at some place, once or twice; what it wrote to its error output."""
    settings = {"APIXO_API_KEY": "sk-emulator", "APIXO_BASE_URL": emulator.url}
    script = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-c", SCRIPT, place, loop),
        env=os.environ | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert script.stdout is not None
    assert await script.stdout.readline() == b"ready\n"
    script.send_signal(signal.SIGINT)
    if again:
        assert await script.stdout.readline() == b"closing\n"
        script.send_signal(signal.SIGINT)
    with within(4):
        _, errors = await script.communicate()
    assert script.returncode == -signal.SIGINT
    return errors.decode()


class Interrupting:
    """A transport in whose code the program is interrupted."""

    async def send(self, call: Call, timeout: float) -> Reply:
        raise KeyboardInterrupt(call.path, timeout)

    async def aclose(self) -> None:
        """Nothing is held."""


class TestInterrupted:
    @pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
    def test_in_a_step_of_the_library_s_own(
        self,
        loop_factory: Callable[[], asyncio.AbstractEventLoop],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A second Ctrl-C, or a loop that is run by hand: it strikes whatever code runs."""

        async def main() -> None:
            async with NanoBananaClient(transport=Interrupting()) as client:
                await client.generate("a cat")

        def program() -> None:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(main())

        with nothing_left():
            with pytest.raises(KeyboardInterrupt):
                program()
            gc.collect()
        assert "asyncio" not in {record.name for record in caplog.records}

    @pytest.mark.parametrize("place", ["generate", "generate_many", "submitting"])
    async def test_a_script_says_what_still_runs_and_ends_at_once(self, place: str) -> None:
        errors = await self.errors_of(place, latency=0.3)
        assert all("still running at the API: task_" in text for text in errors)

    async def test_in_the_closing(self) -> None:
        await self.errors_of("closing", latency=0.3)

    async def test_twice_it_waits_for_no_answer(self) -> None:
        await self.errors_of("submitting", latency=60.0, again=True)

    @staticmethod
    async def errors_of(place: str, *, latency: float, again: bool = False) -> list[str]:
        async with Emulator(service=ENDLESS, latency=latency) as emulator:
            scripts = (interrupted(emulator, place, loop, again=again) for loop in LOOPS)
            errors = await asyncio.gather(*scripts)
        for text in errors:
            assert text.rstrip().endswith("KeyboardInterrupt"), text
            assert not any(complaint in text for complaint in COMPLAINTS), text
            assert "sk-emulator" not in text
            # The interrupt, and the cancellation that it was turned into at first.
            assert text.count("Traceback (most recent call last)") <= 2, text
        return list(errors)
