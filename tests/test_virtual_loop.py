"""The loop whose clock jumps: fast, the same at every run, and never hanging."""

import asyncio
import socket
from random import Random
from threading import Timer
from time import perf_counter, process_time

import pytest
from aiolimiter import AsyncLimiter

from nanobanana_async.emulator import StalledError, VirtualTimeLoop, _virtual_loop, run_virtual


def clock() -> float:
    return asyncio.get_running_loop().time()


def test_time_begins_at_0_and_jumps_to_the_next_timer() -> None:
    async def main() -> list[float]:
        times = [clock()]
        for seconds in (10.0, 3_600.0, 86_400.0 * 30):
            await asyncio.sleep(seconds)
            times.append(clock())
        return times

    before = perf_counter()
    times = run_virtual(main())
    assert times == pytest.approx([0, 10, 3_610, 3_610 + 86_400 * 30], abs=0.001)
    assert perf_counter() - before < 5


def test_it_returns_what_main_returns_and_raises_what_it_raises() -> None:
    async def good() -> str:
        return "done"

    async def bad() -> None:
        await asyncio.sleep(1.0)
        raise LookupError("gone")

    assert run_virtual(good()) == "done"
    with pytest.raises(LookupError, match="gone"):
        run_virtual(bad())


def test_timers_fire_in_order_and_never_early() -> None:
    fired: list[tuple[float, float]] = []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        fired.append((seconds, clock()))

    async def main() -> None:
        random = Random(1)
        await asyncio.gather(*(sleeper(random.uniform(0, 1_000)) for _ in range(500)))

    run_virtual(main())
    assert fired == sorted(fired)
    assert all(seconds <= at <= seconds + 0.001 for seconds, at in fired)


def test_work_without_waiting_takes_next_to_no_time() -> None:
    async def main() -> float:
        for _ in range(10_000):
            await asyncio.sleep(0)
        return clock()

    assert 0 < run_virtual(main()) < 0.01


def test_the_clock_moves_at_each_step_even_where_nothing_waits() -> None:
    async def main() -> list[float]:
        times = []
        for _ in range(5):
            times.append(clock())
            await asyncio.sleep(0)
        return times

    times = run_virtual(main())
    assert len(set(times)) == 5
    assert times == sorted(times)


def test_a_rate_limiter_that_watches_the_clock_comes_to_an_end() -> None:
    async def main() -> float:
        limiter = AsyncLimiter(1, 0.7)
        for _ in range(100):
            await limiter.acquire()
        return clock()

    assert run_virtual(main()) == pytest.approx(99 * 0.7, abs=0.01)


def test_time_outs_follow_the_virtual_clock() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30.0):
                await asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 12.0)
        return clock()

    assert run_virtual(main()) == pytest.approx(42.0, abs=0.001)


def test_two_runs_are_the_same_to_the_last_bit() -> None:
    async def main() -> list[tuple[int, float]]:
        random, log = Random(7), list[tuple[int, float]]()
        limiter = AsyncLimiter(3, 0.5)

        async def worker(number: int) -> None:
            for _ in range(20):
                await asyncio.sleep(random.expovariate(2.0))
                async with limiter:
                    log.append((number, clock()))

        await asyncio.gather(*map(worker, range(10)))
        return log

    assert run_virtual(main()) == run_virtual(main())


@pytest.mark.parametrize("thing", ["future", "event", "queue", "lock"])
def test_waiting_for_what_never_happens_is_told_not_hung(thing: str) -> None:
    async def main() -> None:
        match thing:
            case "future":
                await asyncio.get_running_loop().create_future()
            case "event":
                await asyncio.Event().wait()
            case "queue":
                await asyncio.Queue[int]().get()
            case "lock":
                lock = asyncio.Lock()
                await lock.acquire()
                await lock.acquire()

    before = perf_counter()
    with pytest.raises(StalledError, match="never"):
        run_virtual(main())
    assert perf_counter() - before < 1


def test_a_stall_runs_the_cleanup_of_everybody() -> None:
    cleaned = []

    async def waiter(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1.0)
            cleaned.append(name)

    async def main() -> None:
        await asyncio.gather(waiter("a"), waiter("b"))

    with pytest.raises(StalledError):
        run_virtual(main())
    assert sorted(cleaned) == ["a", "b"]


def test_one_timer_far_away_is_enough_not_to_be_stalled() -> None:
    async def main() -> float:
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(1e6, event.set)
        await event.wait()
        return clock()

    assert run_virtual(main()) == pytest.approx(1e6, abs=0.01)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        await asyncio.sleep(10.0)
        writer.write(line.upper())
    writer.close()
    await writer.wait_closed()


async def exchanged(port: int, text: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for line in text.split():
        writer.write(f"{line}\n".encode())
        answers.append((await reader.readline()).decode().strip())
    writer.close()
    await writer.wait_closed()
    return " ".join(answers)


def test_sockets_on_loopback_work_and_only_sleeping_takes_time() -> None:
    async def main() -> tuple[list[str], float]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=128)
        async with server:
            port = server.sockets[0].getsockname()[1]
            async with asyncio.timeout(60.0):
                answers = await asyncio.gather(*(exchanged(port, "a cat sat") for _ in range(40)))
            return answers, clock()

    answers, time = run_virtual(main())
    assert answers == ["A CAT SAT"] * 40
    assert time == pytest.approx(30.0, abs=1.0)


def say_hello(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"hello\n")


def test_a_caller_in_real_time_is_waited_for() -> None:
    said = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.readline())
        writer.close()
        await writer.wait_closed()
        heard.set_result(None)

    async def main() -> None:
        server = await asyncio.start_server(hear, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        caller = Timer(0.05, say_hello, [address])
        caller.start()
        await heard
        caller.join()
        server.close()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        heard: asyncio.Future[None] = runner.get_loop().create_future()
        runner.run(main())
    assert said == [b"hello\n"]


def test_a_connection_that_is_refused_is_told() -> None:
    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    run_virtual(main())


def test_a_socket_on_which_nothing_comes_is_a_stall_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_virtual_loop, "_PATIENCE", 0.05)

    async def main() -> None:
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            await server.serve_forever()

    with pytest.raises(StalledError):
        run_virtual(main())


def test_jumping_over_a_day_of_seconds_is_cheap() -> None:
    async def main() -> None:
        for _ in range(86_400 // 4):
            await asyncio.sleep(4.0)

    before = process_time()
    run_virtual(main())
    assert process_time() - before < 5


def test_the_loop_can_be_used_by_itself() -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(asyncio.sleep(100.0))
        assert runner.get_loop().time() == pytest.approx(100.0, abs=0.001)
        runner.run(asyncio.sleep(100.0))
        assert runner.get_loop().time() == pytest.approx(200.0, abs=0.001)
