"""`generate_many`: order of completion, bounded reading, leaving early, and what stops a run."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from itertools import pairwise
from typing import Any

import pytest

from nanobanana_async import (
    APIConnectionError,
    AuthenticationError,
    ClientClosedError,
    ImageRequest,
    InsufficientBalanceError,
    InvalidRequestError,
    Limits,
    NotSubmittedError,
    QueueTimeoutError,
    TaskFailedError,
    TaskTimeoutError,
)
from nanobanana_async._wire import NotSentError
from nanobanana_async.emulator import ByResolution, LogNormal, Stuck
from tests.emulated import emulated, envelope, rest_of

pytestmark = pytest.mark.virtual_time

TEN_SLOTS = {"limits": Limits(concurrent_tasks=10)}
ROOM = 10 + 100


def now() -> float:
    return asyncio.get_running_loop().time()


class Source:
    """Endless prompts that count how far they were read."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        while True:
            self.read += 1
            yield f"cat {self.read}"


class TestOutcomes:
    async def test_they_come_in_order_of_completion_and_say_whose_they_are(self) -> None:
        service = ByResolution({"1K": Stuck(3.0), "2K": Stuck(6.0), "4K": Stuck(9.0)})
        requests: list[str | ImageRequest] = [
            ImageRequest("slow", resolution="4K", key="a"),
            ImageRequest("quick", resolution="1K", key="b"),
            "a plain prompt",
        ]
        async with emulated(service=service) as (client, _):
            outcomes = [outcome async for outcome in client.generate_many(requests)]
        assert [(outcome.index, outcome.key) for outcome in outcomes] == [
            (1, "b"),
            (2, None),
            (0, "a"),
        ]
        assert all(outcome.result and not outcome.error for outcome in outcomes)
        assert outcomes[1].request == ImageRequest("a plain prompt")

    async def test_invalid_and_failed_ones_stop_nothing(self) -> None:
        prompts: list[Any] = ["", "a cat", "a forbidden cat", None]
        async with emulated(service=Stuck(3.0)) as (client, wire):
            run = client.generate_many(prompts)
            outcomes = {outcome.index: outcome async for outcome in run}
        assert isinstance(outcomes[0].error, InvalidRequestError)
        assert outcomes[1].result is not None
        assert isinstance(outcomes[2].error, TaskFailedError)
        assert isinstance(outcomes[3].error, InvalidRequestError)
        assert wire.sent("POST") == 2

    async def test_nothing_in_nothing_out(self) -> None:
        async with emulated() as (client, _):
            assert [outcome async for outcome in client.generate_many([])] == []

    async def test_an_async_source_is_read_while_others_run(self) -> None:
        async def source() -> AsyncIterator[str]:
            for number in range(5):
                await asyncio.sleep(2)
                yield f"cat {number}"

        async with emulated(service=Stuck(3.0)) as (client, _):
            outcomes = [outcome.index async for outcome in client.generate_many(source())]
        assert outcomes == [0, 1, 2, 3, 4]
        assert now() == pytest.approx(2 * 5 + 3, abs=1.1)

    async def test_an_ended_run_stays_ended(self) -> None:
        async with emulated(service=Stuck(3.0)) as (client, _):
            run = client.generate_many(["a cat"])
            assert len([outcome async for outcome in run]) == 1
            assert [outcome async for outcome in run] == []

    async def test_each_has_the_time_out_from_when_it_was_read(self) -> None:
        async with emulated(service=Stuck(30.0), client=TEN_SLOTS) as (client, _):
            run = client.generate_many((f"cat {n}" for n in range(15)), timeout=20)
            outcomes = [outcome async for outcome in run]
            assert now() == pytest.approx(20, abs=0.1)
            late = [outcome.error for outcome in outcomes]
            assert sum(isinstance(error, QueueTimeoutError) for error in late) == 5
            running = [error for error in late if isinstance(error, TaskTimeoutError)]
            assert len(running) == 10
            assert running[0].task is not None
            assert (await running[0].task).task_id == running[0].task_id


class TestReading:
    async def test_never_further_ahead_than_the_slots_and_a_hundred(self) -> None:
        source = Source()
        async with emulated(service=LogNormal(5, 0.6), client=TEN_SLOTS) as (client, _):
            run = client.generate_many(source)
            for handed_out in range(200):
                assert source.read <= handed_out + ROOM
                await anext(run)
            await asyncio.sleep(600)  # a slow consumer
            assert source.read <= 200 + ROOM
            await run.aclose()

    async def test_slots_are_refilled_while_the_consumer_works(self) -> None:
        async with emulated(service=Stuck(5.0), client=TEN_SLOTS) as (client, wire):
            run = client.generate_many(Source())
            await anext(run)
            await asyncio.sleep(100)
            assert wire.core.ledger(now()).accepted == ROOM + 1
            await run.aclose()

    async def test_a_source_that_raises_is_heard_and_withdraws_what_was_not_sent(self) -> None:
        def source() -> Iterator[str]:
            yield from (f"cat {number}" for number in range(15))
            raise LookupError("no more cats")

        async with emulated(service=Stuck(5.0), client=TEN_SLOTS) as (client, wire):
            _, error = await rest_of(client.generate_many(source()))
            assert isinstance(error, LookupError)
            assert client.statistics().queued == 0
            await asyncio.sleep(10)
            assert client.statistics().in_flight == 0
        assert wire.sent("POST") <= 10

    async def test_a_source_that_is_cancelled_is_not_taken_for_complete(self) -> None:
        async def source() -> AsyncIterator[str]:
            yield "a cat"
            raise asyncio.CancelledError

        async with emulated(service=Stuck(5.0)) as (client, _):
            run = client.generate_many(source())
            assert (await anext(run)).result is not None
            with pytest.raises(asyncio.CancelledError):
                await anext(run)


class TestLeaving:
    async def test_break_withdraws_what_was_not_sent_and_tracks_what_runs(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with emulated(service=LogNormal(5, 0.6), client=TEN_SLOTS) as (client, _):
            async for _outcome in client.generate_many(Source()):
                break
            await asyncio.sleep(0.1)
            figures = client.statistics()
            assert (figures.queued, figures.in_flight) == (0, 9)
            await asyncio.sleep(100)
            assert client.statistics().in_flight == 0
        assert sum(hasattr(record, "urls") for record in caplog.records) == 9

    async def test_a_run_with_a_name_is_left_by_async_with(self) -> None:
        async with emulated(service=LogNormal(5, 0.6), client=TEN_SLOTS) as (client, _):
            async with client.generate_many(Source()) as run:
                async for _outcome in run:
                    break
            assert client.statistics().queued == 0
            with pytest.raises(StopAsyncIteration):
                await anext(run)

    async def test_cancelled_consumers_lose_nothing(self) -> None:
        async with emulated(service=Stuck(5.0), client=TEN_SLOTS) as (client, _):
            run = client.generate_many(["a cat"])
            waiting = asyncio.create_task(anext(run))
            await asyncio.sleep(1)
            waiting.cancel()
            await asyncio.wait([waiting])
            outcomes, error = await rest_of(run)
            assert (len(outcomes), error) == (1, None)

    async def test_closing_the_client_ends_the_run(self) -> None:
        async with emulated(service=Stuck(50.0), client=TEN_SLOTS) as (client, _):
            run = client.generate_many(Source())
            rest = asyncio.create_task(rest_of(run))
            await asyncio.sleep(5)
            await client.aclose()
            _, error = await rest
        assert isinstance(error, ClientClosedError)
        assert "Still running" in str(error)

    async def test_also_where_only_the_source_is_waited_for(self) -> None:
        async def source() -> AsyncIterator[str]:
            await asyncio.sleep(1_000)
            yield "too late"

        async with emulated() as (client, _):
            rest = asyncio.create_task(rest_of(client.generate_many(source())))
            await asyncio.sleep(5)
            await client.aclose()
            outcomes, error = await rest
        assert outcomes == []
        assert isinstance(error, ClientClosedError)

    async def test_a_run_begun_too_late_says_so_each_time(self) -> None:
        async with emulated() as (client, _):
            run = client.generate_many(["a cat"])
            await client.aclose()
            for _ in range(2):
                outcomes, error = await rest_of(run)
                assert outcomes == []
                assert isinstance(error, ClientClosedError)


class TestStopping:
    async def test_a_wrong_key_is_raised_at_once_and_names_what_runs(self) -> None:
        async with emulated(service=Stuck(50.0), client=TEN_SLOTS) as (client, wire):
            run = client.generate_many(Source())
            rest = asyncio.create_task(rest_of(run))
            await asyncio.sleep(5)
            wire.answers = lambda _: envelope(401)
            outcomes, error = await rest
            running = client.statistics().in_flight
        assert now() < 7
        assert outcomes == []
        assert isinstance(error, AuthenticationError)
        assert running == 10
        assert str(error).count("task_") == 10

    async def test_no_money_stops_reading_and_hands_out_what_runs_first(self) -> None:
        source = Source()
        async with emulated(
            service=LogNormal(5, 0.6), balance=2.5, price=0.1, client=TEN_SLOTS
        ) as (client, wire):
            outcomes, error = await rest_of(client.generate_many(source))
        assert isinstance(error, InsufficientBalanceError)
        assert sum(outcome.result is not None for outcome in outcomes) == 25
        unsent = [outcome for outcome in outcomes if isinstance(outcome.error, NotSubmittedError)]
        refused = [out for out in outcomes if isinstance(out.error, InsufficientBalanceError)]
        assert len(unsent) + len(refused) == source.read - 25
        assert wire.core.ledger(now()).accepted == 25

    async def test_no_network_hands_out_what_was_read_and_raises(self) -> None:
        client_options = {"connect_patience": 20.0, **TEN_SLOTS}
        source = Source()
        async with emulated(client=client_options) as (client, wire):
            wire.answers = lambda _: NotSentError("unreachable")
            outcomes, error = await rest_of(client.generate_many(source))
        assert now() == pytest.approx(20, abs=1)
        assert isinstance(error, APIConnectionError)
        assert len(outcomes) == source.read == ROOM
        assert all(isinstance(outcome.error, NotSubmittedError) for outcome in outcomes)

    async def test_no_network_while_tasks_run_names_them(self) -> None:
        client_options = {"connect_patience": 20.0, **TEN_SLOTS}
        source = Source()
        async with emulated(service=Stuck(50.0), client=client_options) as (client, wire):
            rest = asyncio.create_task(rest_of(client.generate_many(source)))
            await asyncio.sleep(5)
            wire.answers = lambda _: NotSentError("unreachable")
            outcomes, error = await rest
        assert now() == pytest.approx(25, abs=2)
        assert isinstance(error, APIConnectionError)
        assert str(error).count("task_") == 10
        assert len(outcomes) == source.read - 10

    @pytest.mark.parametrize("count", [1, 5, 15])
    async def test_no_network_is_raised_where_the_source_is_read_to_its_end(
        self, count: int
    ) -> None:
        client_options = {"connect_patience": 20.0, **TEN_SLOTS}
        async with emulated(service=Stuck(50.0), client=client_options) as (client, wire):
            running = [await client.submit(f"dog {number}") for number in range(count % 10)]
            wire.answers = lambda _: NotSentError("unreachable")
            run = client.generate_many([f"cat {number}" for number in range(count)])
            outcomes, error = await rest_of(run)
            assert now() < 30
            assert all(task.id for task in running)
        assert isinstance(error, APIConnectionError)
        assert [type(outcome.error) for outcome in outcomes] == [NotSubmittedError] * count

    async def test_no_network_hands_out_what_was_read_late_too(self) -> None:
        async def source() -> AsyncIterator[str]:
            yield "early"
            await asyncio.sleep(15)
            yield "late"
            await asyncio.sleep(1_000)

        async with emulated(client={"connect_patience": 20.0}) as (client, wire):
            wire.answers = lambda _: NotSentError("unreachable")
            outcomes, error = await rest_of(client.generate_many(source()))
        assert now() == pytest.approx(20, abs=1.1)
        assert isinstance(error, APIConnectionError)
        assert [outcome.request.prompt for outcome in outcomes] == ["early", "late"]

    async def test_no_money_for_the_only_one_read_so_far_is_handed_out(self) -> None:
        async def source() -> AsyncIterator[str]:
            yield "a cat"
            await asyncio.sleep(1_000)

        async with emulated(balance=0.0) as (client, _):
            outcomes, error = await rest_of(client.generate_many(source()))
        assert isinstance(error, InsufficientBalanceError)
        assert [type(outcome.error) for outcome in outcomes] == [InsufficientBalanceError]

    @pytest.mark.parametrize("requests", ["a cat", b"a cat", {"prompt": "a cat"}, None, 5])
    async def test_what_is_no_series_of_requests_is_refused_at_once(self, requests: Any) -> None:
        async with emulated() as (client, wire):
            with pytest.raises(TypeError, match="requests must be an iterable"):
                client.generate_many(requests)
        assert wire.calls == []


class TestPriority:
    async def test_an_interactive_call_gets_one_of_the_next_two_free_slots(self) -> None:
        """5,000 bulk requests wait, then one `generate()`: contract 4."""
        async with emulated(service=LogNormal(15, 0.6)) as (client, wire):
            bulk = (f"bulk {number}" for number in range(5_000))
            run = client.generate_many(bulk)
            for _ in range(500):
                await anext(run)
            assert client.statistics().in_flight > 950
            before = wire.sent("POST")
            call = asyncio.create_task(client.generate("interactive"))
            bodies: list[bytes] = []
            while not any(b"interactive" in body for body in bodies):
                await anext(run)
                posts = [call for _, call in wire.calls if call.method == "POST"]
                bodies = [post.body or b"" for post in posts[before:]]
            place = next(n for n, body in enumerate(bodies, 1) if b"interactive" in body)
            assert place <= 2
            call.cancel()
            await run.aclose()

    async def test_bulk_gets_one_of_eight_submits_while_both_wait(self) -> None:
        async with emulated(service=Stuck(3.0), client=TEN_SLOTS) as (client, wire):
            run = client.generate_many(Source())
            await anext(run)
            await asyncio.gather(*(client.generate(f"interactive {n}") for n in range(200)))
            posts = [call.body or b"" for _, call in wire.calls if call.method == "POST"]
            first = next(n for n, body in enumerate(posts) if b"interactive" in body)
            contended = posts[first : first + 200]
            bulk = [n for n, body in enumerate(contended) if b"interactive" not in body]
            assert max(b - a for a, b in pairwise(bulk)) == 8
            await run.aclose()

    async def test_calls_marked_as_bulk_let_the_others_pass(self) -> None:
        async with emulated(service=Stuck(3.0), client=TEN_SLOTS) as (client, wire):
            bulk: list[Coroutine[Any, Any, object]]
            bulk = [client.generate(f"bulk {n}", bulk=True) for n in range(15)]
            bulk += [client.submit(f"bulk {n}", bulk=True) for n in range(15, 30)]
            calls = [asyncio.create_task(call) for call in bulk]
            await asyncio.sleep(1)
            await asyncio.gather(*(client.generate(f"interactive {n}") for n in range(5)))
            await asyncio.gather(*calls)
            posts = [call.body or b"" for _, call in wire.calls if call.method == "POST"]
        assert ["interactive" in str(body) for body in posts] == 10 * [0] + 5 * [1] + 20 * [0]

    async def test_what_stops_the_client_comes_to_bulk_calls_as_not_submitted(self) -> None:
        async with emulated(service=Stuck(3.0), client=TEN_SLOTS) as (client, _):
            calls = [asyncio.create_task(client.generate(f"cat {n}", bulk=True)) for n in range(11)]
            calls.append(asyncio.create_task(client.generate("interactive")))
            await asyncio.sleep(1)
        *_, bulk, interactive = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(bulk, NotSubmittedError)
        assert isinstance(bulk.__cause__, ClientClosedError)
        assert isinstance(interactive, ClientClosedError)


class TestStoppedByHand:
    async def test_what_runs_is_handed_out_and_what_does_not_is_not_sent(self) -> None:
        source = Source()
        async with emulated(service=Stuck(5.0), client=TEN_SLOTS) as (client, wire):
            run = client.generate_many(source)
            outcomes = [await anext(run)]
            run.stop()
            rest, error = await rest_of(run)
            outcomes += rest
            assert error is None
            done = [outcome for outcome in outcomes if outcome.result]
            assert len(done) == wire.sent("POST") >= 10
            unsent = [outcome.error for outcome in outcomes if outcome.error]
            assert all(isinstance(error, NotSubmittedError) for error in unsent)
            assert len(outcomes) == source.read
            assert client.statistics().queued == client.statistics().in_flight == 0

    async def test_without_a_connection_it_ends_though_all_was_read(self) -> None:
        async with emulated(client={"connect_patience": None}) as (client, wire):
            wire.answers = lambda _: NotSentError("no route")
            run = client.generate_many(["one", "two"])
            ended = asyncio.create_task(rest_of(run))
            await asyncio.sleep(5)
            run.stop()
            outcomes, error = await asyncio.wait_for(ended, 60)
            assert error is None
            assert [type(outcome.error) for outcome in outcomes] == [NotSubmittedError] * 2

    async def test_stopped_twice_or_at_its_end_it_ends_once(self) -> None:
        async with emulated(service=Stuck(1.0), client=TEN_SLOTS) as (client, _):
            run = client.generate_many(["one", "two"])
            outcomes = [await anext(run)]
            run.stop()
            run.stop()
            outcomes += (await rest_of(run))[0]
            run.stop()
            assert [outcome.error for outcome in outcomes] == [None, None]
            assert (await rest_of(run)) == ([], None)
