"""Metrics: the statistics of the clients that are open, read from any thread."""

import asyncio
import threading
from time import monotonic, sleep

import pytest
from attrs import evolve, fields

from nanobanana_async import Limits, Statistics
from nanobanana_async._wire import NotSentError
from nanobanana_async.emulator import LogNormal, Stuck
from nanobanana_async.telemetry._metrics import INSTRUMENTS
from tests.emulated import emulated
from tests.telemetered import Recorder

TEN_SLOTS = Limits(concurrent_tasks=10)

virtual_time = pytest.mark.virtual_time


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_each_figure_of_the_statistics_has_an_instrument() -> None:
    assert set(INSTRUMENTS) == {figure.name for figure in fields(Statistics)}


@virtual_time
async def test_metrics_are_the_statistics_while_a_client_is_open(recorder: Recorder) -> None:
    assert recorder.metrics() == {}
    options = recorder.options(limits=TEN_SLOTS)
    async with emulated(service=LogNormal(5, 0.5), client=options) as (client, _):
        calls = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(30)]
        await asyncio.sleep(8)
        told = recorder.metrics()
        statistics = client.statistics()
        assert statistics.queued > 0
        assert statistics.succeeded > 0
        assert told == pytest.approx({name: getattr(statistics, name) for name in INSTRUMENTS})
        await asyncio.wait(calls)
    assert recorder.metrics() == {}


@virtual_time
async def test_clients_are_added_up_and_counts_go_on_after_one_is_closed(
    recorder: Recorder,
) -> None:
    """Also where each has a telemetry of its own, on one provider."""
    fast, slow = Stuck(4.0), Stuck(10.0)
    async with emulated(service=slow, client=recorder.options(limits=TEN_SLOTS)) as (one, _):
        async with emulated(service=fast, client=recorder.options(limits=TEN_SLOTS)) as (other, _):
            await asyncio.gather(one.generate("a cat"), *(other.generate("b") for _ in range(3)))
            told = recorder.metrics()
            assert told["succeeded"] == 4
            assert told["slots_in_force"] == 20
            assert told["mean_service_time"] == pytest.approx((10 + 3 * 4) / 4, abs=0.01)
        told = recorder.metrics()
        assert told["succeeded"] == 4
        assert told["slots_in_force"] == 10
        assert told["mean_service_time"] == pytest.approx(10, abs=0.01)
    assert recorder.metrics() == {}
    async with emulated(client=recorder.options()):
        assert recorder.metrics()["succeeded"] == 4


@virtual_time
async def test_no_count_ever_falls(recorder: Recorder) -> None:
    """A submit that finds no connection is not counted in the end."""
    async with emulated(round_trip=1, client=recorder.options()) as (client, wire):
        wire.answers = lambda _: NotSentError("no network")
        call = asyncio.create_task(client.generate("a cat"))
        await asyncio.sleep(0.5)
        assert recorder.metrics()["submits"] == client.statistics().submits == 1
        await asyncio.sleep(1)
        assert client.statistics().submits == 0
        assert recorder.metrics()["submits"] == 1
        call.cancel()


async def test_another_thread_is_told_by_the_loop_in_one_go(recorder: Recorder) -> None:
    reads: list[int] = []

    def counted() -> Statistics:
        reads.append(threading.get_ident())
        return evolve(figures, queued=len(reads))

    async with emulated() as (client, _):
        figures = client.statistics()
    close = recorder.telemetry().opened(counted)
    await asyncio.sleep(0.11)
    assert (await asyncio.to_thread(recorder.metrics))["queued"] == 2
    assert reads == 2 * [threading.get_ident()]
    close()
    assert await asyncio.to_thread(recorder.metrics) == {}


def test_a_loop_that_is_busy_or_gone_holds_nobody_up_for_long(recorder: Recorder) -> None:
    told: list[dict[str, float]] = []

    async def busy() -> None:
        async with emulated() as (client, _):
            recorder.telemetry().opened(client.statistics)
            await asyncio.sleep(0.11)
            thread = threading.Thread(target=lambda: told.append(recorder.metrics()))
            began = monotonic()
            thread.start()
            while thread.is_alive() and monotonic() < began + 10:
                sleep(0.01)  # noqa: ASYNC251 - this is what keeps the loop busy
            assert 1 <= monotonic() - began < 3

    asyncio.run(busy())
    sleep(0.11)
    told.append(recorder.metrics())
    assert [one["slots_left"] for one in told] == [1_000, 1_000]
