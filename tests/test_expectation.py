"""How long a call would wait: what the figures say, and what then comes true."""

import asyncio
from math import exp
from random import Random
from statistics import median
from typing import Any

import pytest
from attrs import define, evolve, field

from nanobanana_async import (
    AuthenticationError,
    ClientClosedError,
    Limits,
    NanoBananaClient,
    Statistics,
)
from nanobanana_async._expectation import UNLEARNED, expected_wait
from nanobanana_async._wire import NotSentError
from nanobanana_async.emulator import LogNormal, Stuck
from tests.emulated import Wire, emulated, envelope

BARE = Statistics(
    queued=0,
    queued_bulk=0,
    submitting=0,
    in_flight=0,
    slots_left=100,
    slots_unknown=0,
    slots_in_force=100,
    tokens_left=4_800,
    rate_in_force=4_800,
    submits=0,
    checks=0,
    other_requests=0,
    refusals=0,
    accepted=0,
    succeeded=0,
    failed=0,
    unknown=0,
    found=0,
    paid_twice=0,
    deliveries=0,
    deliveries_refused=0,
    checks_per_task=0.0,
    mean_lag=0.0,
    mean_service_time=0.0,
    completions_per_second=0.0,
)


def figures(**others: Any) -> Statistics:
    return evolve(BARE, **others)


def full(**others: Any) -> Statistics:
    """A hundred tasks of 9 s, seen a second late: ten places a second."""
    known = {"slots_left": 0, "in_flight": 100, "mean_service_time": 9.0, "mean_lag": 1.0}
    return figures(**known | others)


def test_where_all_is_free_nobody_waits() -> None:
    assert expected_wait(figures()) == 0


def test_while_slots_are_free_those_ahead_go_at_the_rate_of_submits() -> None:
    assert expected_wait(figures(queued=70)) == pytest.approx(70 / 70)


def test_where_none_is_free_each_waits_for_a_place_of_its_own() -> None:
    assert expected_wait(full()) == pytest.approx(0.1)
    assert expected_wait(full(queued=49)) == pytest.approx(5.0)


def test_what_finds_no_free_slot_waits_for_one() -> None:
    some_left = full(slots_left=20, in_flight=80, queued=69)
    assert expected_wait(some_left) == pytest.approx((69 + 1 - 20) / 10)


def test_where_tasks_are_short_the_rate_is_what_holds_up() -> None:
    short = full(mean_service_time=0.1, mean_lag=0.0, queued=140)
    assert expected_wait(short) == pytest.approx(140 / 70)


def test_an_interactive_call_stands_before_bulk_but_for_one_in_eight() -> None:
    assert expected_wait(full(queued=1_000, queued_bulk=1_000)) == pytest.approx(0.1)
    assert expected_wait(full(queued=1_070, queued_bulk=1_000)) == pytest.approx(8.1)
    assert expected_wait(full(queued=75, queued_bulk=5)) == pytest.approx(7.6)


def test_a_bulk_call_stands_behind_all() -> None:
    both = full(queued=1_070, queued_bulk=1_000)
    assert expected_wait(both, bulk=True) == pytest.approx(107.1)


def test_before_anything_was_learned_a_usual_time_is_taken() -> None:
    new = full(queued=99, mean_service_time=0.0, mean_lag=0.0)
    assert expected_wait(new) == pytest.approx(UNLEARNED)


def test_slots_of_lost_submits_give_nothing_back() -> None:
    half = full(queued=99, slots_unknown=50, in_flight=50)
    assert expected_wait(half) == pytest.approx(20.0)


def test_tasks_beyond_the_slots_in_force_end_as_well() -> None:
    assert expected_wait(full(queued=99, in_flight=125)) == pytest.approx(8.0)


def test_with_all_slots_lost_it_is_long_and_no_error() -> None:
    none = full(queued=9, slots_unknown=100, in_flight=0)
    assert expected_wait(none) == pytest.approx(100.0)


def test_a_pause_comes_on_top() -> None:
    assert expected_wait(full(queued=49), paused=7.0) == pytest.approx(12.0)


@define
class Visitors:
    """Calls that come in waves over a steady stream of bulk, and what was foretold to some."""

    client: NanoBananaClient
    wire: Wire
    a_second: float
    """Tasks that end a second where all slots are busy."""
    random: Random = field(factory=lambda: Random(7))
    foretold: list[tuple[float, float]] = field(factory=list)
    """When, and how long a wait."""
    calls: set[asyncio.Task[Any]] = field(factory=set)

    def call(self, prompt: str) -> None:
        self.calls.add(asyncio.create_task(self.client.generate(prompt)))

    async def bulk(self) -> None:
        endless = iter(lambda: "bulk", None)
        async with self.client.generate_many(endless) as outcomes:
            async for _ in outcomes:
                pass

    async def waves(self) -> None:
        while True:
            for _ in range(int(self.random.uniform(0, 11) * self.a_second)):
                self.call("visitor")
            await asyncio.sleep(self.random.uniform(1, 12))

    async def ask(self, times: int) -> None:
        for number in range(times):
            await asyncio.sleep(self.random.expovariate(1 / 3))
            now = asyncio.get_running_loop().time()
            self.foretold.append((now, self.client.expected_wait()))
            self.call(f"asked {number}.")

    def came_true(self) -> list[float]:
        """How long each who was told something waited until the submit was sent."""
        posts = [(at, call.body or b"") for at, call in self.wire.calls if call.method == "POST"]
        waits = []
        for number, (asked_at, _) in enumerate(self.foretold):
            prompt = f"asked {number}.".encode()
            waits.append(next(at for at, body in posts if prompt in body) - asked_at)
        return waits


@pytest.mark.virtual_time
@pytest.mark.parametrize(("typical", "sigma"), [(8, 0.3), (15, 0.6)])
async def test_what_is_foretold_comes_true(typical: float, sigma: float) -> None:
    """At moments of any kind, by a third or by a second: a tenth of the account, always full."""
    limits = Limits(requests_per_minute=1_000, concurrent_tasks=100)
    async with emulated(
        service=LogNormal(typical, sigma),
        requests_per_minute=1_000,
        concurrent_tasks=100,
        round_trip=0.3,
        client={"limits": limits},
    ) as (client, wire):
        visitors = Visitors(client, wire, 100 / (typical * exp(sigma**2 / 2)))
        load = [asyncio.create_task(work) for work in (visitors.bulk(), visitors.waves())]
        await asyncio.sleep(30)
        await visitors.ask(times=50)
        load[1].cancel()
        while (seen := client.statistics()).queued > seen.queued_bulk:
            await asyncio.sleep(0.5)
        await asyncio.sleep(0.5)
        waits = visitors.came_true()
        load[0].cancel()
        for call in visitors.calls:
            call.cancel()
        await asyncio.wait([*load, *visitors.calls])
    foretold = [wait for _, wait in visitors.foretold]
    missed = [abs(told - wait) for told, wait in zip(foretold, waits, strict=True)]
    assert max(waits) > 15
    for told, wait, by in zip(foretold, waits, missed, strict=True):
        assert by <= max(0.35 * wait, 1.0), (told, wait)
    relative = median(by / wait for by, wait in zip(missed, waits, strict=True) if wait > 1)
    print(f"median error {relative:.1%} ({median(missed):.2f} s)")  # noqa: T201 - for `-s`
    assert relative < 0.2


@pytest.mark.virtual_time
async def test_while_there_is_no_connection_the_next_try_is_waited_for() -> None:
    async with emulated(service=Stuck(3.0)) as (client, wire):
        wire.answers = lambda _: NotSentError("no network")
        call = asyncio.create_task(client.generate("a cat"))
        await asyncio.sleep(20)
        assert 0 < client.expected_wait() < 30
        wire.answers = lambda _: None
        await call
        assert client.expected_wait() == 0


@pytest.mark.virtual_time
async def test_a_full_minute_is_waited_for() -> None:
    """Ten requests go within 60 s; a minute after the first one's answer there is room again."""
    limits = Limits(requests_per_minute=10)
    async with emulated(service=Stuck(600.0), round_trip=20, client={"limits": limits}) as (
        client,
        _,
    ):
        calls = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(20)]
        await asyncio.sleep(70)
        assert client.statistics().tokens_left == 0
        paused = client.expected_wait() - expected_wait(client.statistics())
        assert paused == pytest.approx(20 + 60 - 70, abs=0.1)
        for call in calls:
            call.cancel()


@pytest.mark.virtual_time
async def test_a_client_that_was_stopped_waits_for_nothing() -> None:
    async with emulated() as (client, wire):
        wire.answers = lambda _: envelope(401)
        await asyncio.gather(client.generate("a cat"), return_exceptions=True)
        with pytest.raises(AuthenticationError):
            client.expected_wait()
    with pytest.raises(ClientClosedError):
        client.expected_wait()


@pytest.mark.virtual_time
async def test_service_times_and_bulk_in_line_are_in_the_statistics() -> None:
    one_slot = {"limits": Limits(concurrent_tasks=1)}
    async with emulated(service=Stuck(6.0), client=one_slot) as (client, _):
        assert client.statistics().mean_service_time == 0
        calls = [
            asyncio.create_task(client.generate("a cat", bulk=bulk)) for bulk in (False, True, True)
        ]
        await asyncio.sleep(1)
        assert (client.statistics().queued, client.statistics().queued_bulk) == (2, 2)
        await asyncio.gather(*calls)
        assert client.statistics().mean_service_time == pytest.approx(6, abs=0.01)
        assert client.statistics().queued_bulk == 0
