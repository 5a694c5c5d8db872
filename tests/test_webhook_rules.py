"""Rules of deliveries that show only where several things meet: one small case each."""

import asyncio
from typing import Any

import pytest

from nanobanana_async import (
    AuthenticationError,
    ImageRequest,
    InsufficientBalanceError,
    JournalError,
    Kind,
    Limits,
    Record,
    SubmitUnknownError,
    Webhooks,
)
from nanobanana_async._wire import NoAnswerError, NotSentError, Reply
from tests.emulated import EPOCH, envelope, rest_of
from tests.hooked import HOOKS, URL, accepts, held, loses, service, told
from tests.memory_journal import MemoryJournal
from tests.test_webhook_edges import (  # noqa: F401 - a fixture
    _wall_clock,
    both_lost_and_in_line,
    named,
    settle,
    status,
)

pytestmark = pytest.mark.virtual_time

CONFIRMING = Webhooks(public_url=HOOKS.public_url, secret=HOOKS.secret, confirm=True)
ONE = Limits(concurrent_tasks=1)


def breaks_at(kind: Kind) -> MemoryJournal:
    def breaks(record: Record) -> bool:
        return record.kind is kind

    return MemoryJournal(breaks=breaks)


def refuses(call: Any) -> Reply | None:
    return Reply(418, {}, b"") if call.method == "POST" else None


# Money


async def test_what_nobody_waits_for_is_not_sent_again() -> None:
    journal = MemoryJournal()
    async with service(resubmit_unknown=True, journal=journal) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(10)
        call.cancel()
        await asyncio.sleep(300)
        assert at.wire.sent("POST") == 1
    assert journal.kinds() == {1: [Kind.SENDING, Kind.LOST]}


async def test_what_was_sent_again_and_refused_is_still_unknown() -> None:
    """And its lost attempt is no second payment, when it is delivered."""
    async with service(resubmit_unknown=True) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(170)
        at.wire.answers = refuses
        with pytest.raises(SubmitUnknownError):
            await call
        assert await at.deliver(told("task_1"), submit=0) == 200
        assert at.client.statistics().paid_twice == 0


async def test_the_lost_attempt_of_one_that_was_withdrawn_is_not_paid_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with service(resubmit_unknown=True) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(170)
        at.wire.answers = lambda call: NotSentError("no route") if call.method == "POST" else None
        await asyncio.sleep(15)
        call.cancel()
        await settle()
        caplog.clear()
        assert await at.deliver(told("task_1"), submit=0) == 200
        assert named(caplog, URL)
        assert at.client.statistics().paid_twice == 0


async def test_the_lost_attempt_of_one_that_was_withdrawn_in_line_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with service(resubmit_unknown=True) as at:
        call = await both_lost_and_in_line(at)
        call.cancel()
        await settle()
        caplog.clear()
        assert await at.deliver(told("task_2"), submit=2) == 200
        assert named(caplog, URL)


async def test_a_delivered_one_is_acknowledged_though_its_submit_was_refused() -> None:
    journal = MemoryJournal()
    async with service(journal=journal) as at:
        reply = asyncio.get_running_loop().create_future()
        at.wire.answers = held(reply)
        run = asyncio.create_task(rest_of(at.client.generate_many([ImageRequest("a cat")])))
        await asyncio.sleep(5)
        await at.deliver(told("task_1", "processing"))
        reply.set_result(envelope(429))
        await asyncio.sleep(1)
        await at.deliver(told("task_1"))
        ((outcome,), _) = await run
        outcome.acknowledge()
    async with service(journal=journal) as at:
        assert [outcome async for outcome in at.client.resume()] == []


@pytest.mark.parametrize("recorded", [True, False])
async def test_an_attempt_that_is_certainly_unpaid_is_nobodys(*, recorded: bool) -> None:
    """Its callback is not that of its generation any more, nor waited for."""
    journal = MemoryJournal() if recorded else breaks_at(Kind.SENDING)
    async with service(journal=journal) as at:
        at.wire.answers = refuses
        (outcomes, _) = await rest_of(at.client.generate_many([ImageRequest("a cat")]))
        assert [outcome.attempt for outcome in outcomes] == [None]
        engine = at.client._engine
        assert engine is not None
        assert engine.callbacks._owned == {}


# Patience


async def test_each_lost_submit_has_a_patience_of_its_own() -> None:
    ends: list[float] = []
    async with service() as at:
        at.wire.answers = loses

        async def call(after: float) -> None:
            await asyncio.sleep(after)
            with pytest.raises(SubmitUnknownError):
                await at.client.generate("a cat")
            ends.append(asyncio.get_running_loop().time())

        await asyncio.gather(call(0), call(100), call(100))
    assert ends == pytest.approx([180, 280, 280])


# Slots


async def test_one_beyond_the_slots_in_force_is_accepted_by_its_delivery() -> None:
    async with service() as at:
        engine = at.client._engine
        assert engine is not None
        slots = engine.tracker.slots
        slots._granted, slots._refused_at = 0.0, 0.0
        at.wire.answers = held(asyncio.get_running_loop().create_future())
        call = asyncio.create_task(at.client.submit("a cat"))
        await asyncio.sleep(5)
        assert await at.deliver(told("task_1", "processing")) == 200
        await call
        other = asyncio.create_task(at.client.submit("another cat"))
        await asyncio.sleep(5)
        assert at.wire.sent("POST") == 2
        other.cancel()


async def test_one_that_is_found_in_line_holds_a_slot() -> None:
    async with service(resubmit_unknown=True) as at:
        call = await both_lost_and_in_line(at)
        engine = at.client._engine
        assert engine is not None
        before = engine.tracker.slots.held
        assert await at.deliver(told("task_1", "processing"), submit=2) == 200
        assert engine.tracker.slots.held == before + 1
        call.cancel()


async def test_a_delivery_shows_that_submits_are_taken() -> None:
    """Eight lost answers in a row close the gate: what is found opens it, and the count is anew."""
    async with service() as at:
        at.wire.answers = loses
        calls = [asyncio.create_task(at.client.generate(f"{n}")) for n in range(8)]
        await asyncio.sleep(5)
        engine = at.client._engine
        assert engine is not None
        assert not engine.submits._doubt.is_open
        assert await at.deliver(told("task_1", "processing")) == 200
        assert engine.submits._doubt.is_open
        calls += [asyncio.create_task(at.client.generate(f"{n}")) for n in range(7)]
        await asyncio.sleep(5)
        assert at.wire.sent("POST") == 15
        assert engine.submits._doubt.is_open
        for call in calls:
            call.cancel()


# What a delivery may say


async def test_the_token_of_a_lost_one_is_not_good_for_the_task_of_another() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("another cat"))
        await asyncio.sleep(5)
        assert await at.deliver(told(str(task.id)), submit=1) == 400
        assert not call.done()
        call.cancel()


async def test_the_token_of_an_ended_one_is_not_good_for_another_task() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        assert await at.deliver(told(str(task.id))) == 200
        assert await at.deliver(told("task_of_another")) == 400


async def test_with_confirm_a_late_delivery_is_not_believed_either(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = MemoryJournal()
    async with service(CONFIRMING, journal=journal) as at:
        at.wire.answers = loses
        with pytest.raises(SubmitUnknownError):
            await at.client.generate("a cat")
        assert await at.deliver(told("task_1")) == 200
    assert named(caplog, "task_1")
    assert not named(caplog, URL)
    assert journal.kinds()[1] == [Kind.SENDING, Kind.LOST, Kind.ACCEPTED]


# What a delivery says of more than its task


async def test_a_failure_for_want_of_credit_fails_those_in_line() -> None:
    async with service(limits=ONE) as at:
        await at.client.submit("a cat")
        other = asyncio.create_task(at.client.generate("another cat"))
        await asyncio.sleep(5)
        (task_id,) = at.client.unfinished()
        body = told(task_id, "failed", failCode="INSUFFICIENT_CREDITS")
        assert await at.deliver(body) == 200
        with pytest.raises(InsufficientBalanceError):
            await other


async def test_a_delivery_tells_the_servers_clock() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        body = told(str(task.id), "processing", createTime=int((EPOCH + 500) * 1_000))
        assert await at.deliver(body) == 200
        engine = at.client._engine
        assert engine is not None
        assert engine.tracker._clock_offset == pytest.approx(EPOCH + 500, abs=1)


async def stopped(at: Any, call: "asyncio.Task[Any]") -> None:
    """Have the API refuse the key, while `call` waits for its answer."""
    at.wire.answers = lambda _: envelope(401)
    with pytest.raises(AuthenticationError):
        await at.client.generate("another cat")
    assert not call.done()


async def test_what_is_found_by_a_client_that_was_stopped_is_not_waited_for() -> None:
    async with service() as at:
        reply = asyncio.get_running_loop().create_future()
        at.wire.answers = held(reply)
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(1)
        await stopped(at, call)
        assert await at.deliver(told("task_1", "processing")) == 200
        async with asyncio.timeout(1):
            with pytest.raises(AuthenticationError) as caught:
                await call
        assert caught.value.task_id == "task_1"
        reply.set_exception(NoAnswerError("lost"))


async def test_with_confirm_a_client_that_was_stopped_takes_no_end() -> None:
    """It asks nothing more: whoever comes next is to be told."""
    async with service(CONFIRMING) as at:
        reply = asyncio.get_running_loop().create_future()
        at.wire.answers = held(reply)
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(1)
        await stopped(at, call)
        assert await at.deliver(told("task_1")) == 503
        reply.set_exception(NoAnswerError("lost"))
        await asyncio.gather(call, return_exceptions=True)


# Journals that break


async def test_a_delivery_that_cannot_be_written_down_stops_those_in_line() -> None:
    async with service(limits=ONE, journal=breaks_at(Kind.ACCEPTED)) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        other = asyncio.create_task(at.client.generate("another cat"))
        await asyncio.sleep(5)
        await at.deliver(told("task_1", "processing"))  # it still holds the only slot
        async with asyncio.timeout(1):
            with pytest.raises(JournalError):
                await other
        call.cancel()


async def test_a_late_delivery_that_cannot_be_written_down_stops_those_in_line() -> None:
    journal = MemoryJournal()
    async with service(limits=ONE, journal=journal) as at:
        at.wire.answers = loses
        with pytest.raises(SubmitUnknownError):
            await at.client.generate("a cat")
        at.wire.answers = accepts("task_2")
        await at.client.submit("another cat")
        third = asyncio.create_task(at.client.generate("a third cat"))
        await asyncio.sleep(5)
        journal.breaks = lambda _: True
        assert await at.deliver(told("task_1"), submit=0) == 503
        async with asyncio.timeout(1):
            with pytest.raises(JournalError):
                await third


async def test_what_nobody_knew_is_safe_before_the_api_is_answered() -> None:
    journal = MemoryJournal()
    async with service(journal=journal) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(5)
        journal.delay, began = 3.0, asyncio.get_running_loop().time()
        assert await at.deliver(told("task_1")) == 200
        assert asyncio.get_running_loop().time() == pytest.approx(began + 3)
        await call


# After a restart


async def left_by_an_earlier_client(journal: MemoryJournal, *, lost: bool) -> str:
    async with service(journal=journal) as at:
        at.wire.answers = loses if lost else accepts("task_1")
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(1)
        token = at.token()
    await asyncio.gather(call, return_exceptions=True)
    return token


async def test_a_token_grows_old_over_restarts() -> None:
    journal = MemoryJournal()
    async with service(journal=journal) as at:
        task = await at.client.submit("a cat")
        body, token = told(str(task.id)), at.token()
        assert await at.deliver(body) == 200
    for wait, expected in ((590, 200), (100, 404), (600, 503)):
        await asyncio.sleep(wait)
        async with service(journal=journal) as at:
            assert await at.client.webhooks.deliver(body, token) == expected


async def test_the_token_of_a_resumed_task_is_over_when_a_look_finds_its_end() -> None:
    journal = MemoryJournal()
    token = await left_by_an_earlier_client(journal, lost=False)
    async with service(journal=journal) as at:
        at.wire.answers = lambda call: status("task_1", "success") if call.query else None
        assert [outcome.error async for outcome in at.client.resume()] == [None]
        await asyncio.sleep(601)
        assert await at.client.webhooks.deliver(told("task_1"), token) == 404


async def test_a_lost_submit_of_an_earlier_client_holds_one_slot() -> None:
    journal = MemoryJournal()
    await left_by_an_earlier_client(journal, lost=True)
    async with service(journal=journal) as at:
        waits = asyncio.create_task(anext(at.client.resume()))
        await asyncio.sleep(1)
        figures = at.client.statistics()
        assert (figures.slots_unknown, figures.slots_left) == (1, 999)
        waits.cancel()


async def test_what_an_earlier_client_lost_too_long_ago_is_named_when_it_is_delivered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = MemoryJournal()
    token = await left_by_an_earlier_client(journal, lost=True)
    await asyncio.sleep(200)
    async with service(journal=journal) as at:
        outcomes = [outcome async for outcome in at.client.resume()]
        assert [type(outcome.error) for outcome in outcomes] == [SubmitUnknownError]
        caplog.clear()
        assert await at.client.webhooks.deliver(told("task_1"), token) == 200
        assert named(caplog, URL)


async def test_what_an_earlier_client_left_is_named_where_it_cannot_be_written_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = MemoryJournal()
    token = await left_by_an_earlier_client(journal, lost=True)
    journal.breaks = lambda _: True
    async with service(journal=journal) as at:
        caplog.clear()
        assert await at.client.webhooks.deliver(told("task_1"), token) == 503
        assert named(caplog, URL)


# Relays


class Broken:
    """A relay that is not there."""

    async def publish(self, body: bytes, token: str) -> int | None:
        del body, token
        raise ConnectionError

    def subscribe(self, take: Any) -> Any:
        del take
        raise ConnectionError


async def test_without_its_relay_a_client_takes_its_own_deliveries() -> None:
    hooks = Webhooks(public_url=HOOKS.public_url, secret=HOOKS.secret, relay=Broken())
    async with service(hooks) as at, service() as other:
        task = await at.client.submit("a cat")
        assert await at.deliver(told(str(task.id))) == 200
        await other.client.submit("another cat")
        assert await at.client.webhooks.deliver(told("task_1"), other.token()) == 503
