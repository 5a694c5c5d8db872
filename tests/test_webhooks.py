"""One delivery at a time, whenever it comes: before the submit's answer, instead of it, or too late."""

import asyncio
import json
import logging
from typing import Any

import pytest

from nanobanana_async import (
    APIStatusError,
    ClientClosedError,
    Kind,
    LocalRelay,
    NanoBananaClient,
    SubmitUnknownError,
    TaskFailedError,
    TaskStuckError,
    TaskTimeoutError,
    Webhooks,
    _attempts,
    _resume,
)
from nanobanana_async._wire import NoAnswerError, NotSentError, Reply
from nanobanana_async.emulator import LogNormal, Stuck
from tests.emulated import envelope
from tests.hooked import HOOKS, URL, accepts, held, loses, service, told, unix_time
from tests.memory_journal import MemoryJournal

pytestmark = pytest.mark.virtual_time


@pytest.fixture(autouse=True)
def _wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_attempts, "unix_time", unix_time)
    monkeypatch.setattr(_attempts, "first_number", lambda: 0)
    monkeypatch.setattr(_resume, "unix_time", unix_time)


async def test_a_delivery_ends_the_wait_and_takes_no_look() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        assert await at.deliver(told(str(task.id))) == 200
        assert (await task).urls == (URL,)
        assert at.looks == 0
        figures = at.client.statistics()
    assert (figures.deliveries, figures.in_flight, figures.slots_left) == (1, 0, 1_000)


async def test_a_failure_is_delivered_too() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        body = told(str(task.id), "failed", failCode="NSFW_DETECTED", failMsg="no")
        assert await at.deliver(body) == 200
        with pytest.raises(TaskFailedError) as caught:
            await task
    assert (caught.value.task_id, caught.value.fail_code) == (task.id, "NSFW_DETECTED")


async def test_progress_is_told_to_listeners_and_ends_nothing() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        states = []

        async def listen() -> None:
            states.extend([status.state async for status in task.events()])

        async with asyncio.TaskGroup() as group:
            group.create_task(listen())
            await asyncio.sleep(1)
            for state in ("pending", "processing", "dreaming", "success", "processing"):
                assert await at.deliver(told(str(task.id), state)) == 200
                await asyncio.sleep(0)
    assert states == ["pending", "processing", "dreaming", "success"]


async def test_the_first_end_wins() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        assert await at.deliver(told(str(task.id))) == 200
        assert await at.deliver(told(str(task.id), "failed", failCode="LATE")) == 200
        assert (await task).urls == (URL,)


async def test_a_token_is_good_for_ten_minutes_after_the_end() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        body = told(str(task.id))
        assert await at.deliver(body) == 200
        await asyncio.sleep(599)
        assert await at.deliver(body) == 200
        await asyncio.sleep(2)
        assert await at.deliver(body) == 404
        assert at.client.statistics().deliveries == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[" * 30_000, 400),
        (b"not json", 400),
        (b'{"code": 200}', 400),
        (b'{"code": 200, "data": {"taskId": 7, "state": "success"}}', 400),
        (b'{"code": 200, "data": {"taskId": "", "state": "success"}}', 400),
        (b'{"code": 500, "data": {"taskId": "task_1", "state": "failed"}}', 400),
        (told("task_of_another"), 400),
        (told("x" * 65_536), 413),
    ],
)
async def test_a_body_that_is_none_is_refused_and_counted(body: bytes, status: int) -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        assert await at.deliver(body) == status
        assert at.client.statistics().deliveries_refused == 1
        assert at.client.unfinished() == [task.id]
        assert await at.deliver(told(str(task.id))) == 200


async def test_a_token_that_is_none_gets_no_hint() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        token = at.token()
        for forged in ("", "x", "ü", token[:-1], token + "=", token + "\n", token.swapcase()):
            for body in (b"", told(str(task.id)), b"x" * 100_000):
                assert await at.client.webhooks.deliver(body, forged) == 404
        assert at.client.unfinished() == [task.id]


async def test_success_without_urls_is_looked_at() -> None:
    """As with a look that shows it: it may be there a moment later."""
    async with service(service=Stuck(8.0)) as at:
        task = await at.client.submit("a cat")
        await asyncio.sleep(9)
        assert await at.deliver(told(str(task.id), resultJson="")) == 200
        assert (await task).urls != (URL,)
        assert at.looks == 1


# Before the submit's answer


async def test_a_delivery_before_the_answer() -> None:
    async with service() as at:
        reply = asyncio.get_running_loop().create_future()
        at.wire.answers = held(reply)
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(5)
        assert await at.deliver(told("task_1")) == 200
        assert (await call).task_id == "task_1"
        assert at.client.statistics().slots_left == 1_000
        reply.set_result(envelope(200, data={"taskId": "task_1"}))
        await asyncio.sleep(1)
        figures = at.client.statistics()
    assert (figures.accepted, figures.succeeded, figures.found, figures.in_flight) == (1, 1, 1, 0)


async def test_the_id_comes_with_the_delivery_where_that_is_first() -> None:
    async with service() as at:
        at.wire.answers = held(asyncio.get_running_loop().create_future())
        call = asyncio.create_task(at.client.submit("a cat"))
        await asyncio.sleep(5)
        assert await at.deliver(told("task_1", "processing")) == 200
        task = await call
        assert task.id == "task_1"
        assert at.client.unfinished() == ["task_1"]
        assert await at.deliver(told("task_1")) == 200
        assert (await task).urls == (URL,)


@pytest.mark.parametrize(
    "answer",
    [
        envelope(500),
        envelope(429),
        envelope(400),
        NoAnswerError("lost"),
        NotSentError("strange"),
    ],
    ids=["500", "429", "400", "lost", "not sent"],
)
async def test_an_answer_that_says_otherwise_changes_nothing_any_more(answer: Any) -> None:
    journal = MemoryJournal()
    async with service(journal=journal) as at:
        reply = asyncio.get_running_loop().create_future()
        at.wire.answers = held(reply)
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(5)
        assert await at.deliver(told("task_1")) == 200
        if isinstance(answer, Exception):
            reply.set_exception(answer)
        else:
            reply.set_result(answer)
        assert (await call).task_id == "task_1"
        await asyncio.sleep(200)
        figures = at.client.statistics()
    assert at.wire.sent("POST") == 1
    assert (figures.unknown, figures.slots_left) == (0, figures.slots_in_force)
    assert journal.kinds() == {1: [Kind.SENDING, Kind.ACCEPTED, Kind.ENDED]}


async def test_two_ids_for_one_submit_are_named(caplog: pytest.LogCaptureFixture) -> None:
    async with service() as at:
        reply = asyncio.get_running_loop().create_future()
        at.wire.answers = held(reply)
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(5)
        await at.deliver(told("task_1"))
        reply.set_result(envelope(200, data={"taskId": "task_2"}))
        await call
        await asyncio.sleep(1)
        assert at.client.statistics().paid_twice == 1
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "task_1" in record.getMessage()
    assert "task_2" in record.getMessage()


async def test_a_delivery_while_the_answer_is_written_down() -> None:
    """Both say that it was accepted: one record of it, and one end."""
    journal = MemoryJournal(delay=0.5)
    async with service(journal=journal) as at:
        at.wire.answers = accepts("task_1")
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(0.75)
        assert at.wire.sent("POST") == 1
        assert await at.deliver(told("task_1")) == 200
        assert (await call).task_id == "task_1"
        await asyncio.sleep(5)
        assert at.client.statistics().in_flight == 0
    assert journal.kinds() == {1: [Kind.SENDING, Kind.ACCEPTED, Kind.ENDED]}


# Instead of it


async def test_a_lost_submit_is_found_by_its_delivery() -> None:
    journal = MemoryJournal()
    async with service(journal=journal) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(170)
        assert at.client.statistics().slots_unknown == 1
        assert await at.deliver(told("task_1")) == 200
        assert (await call).task_id == "task_1"
        figures = at.client.statistics()
    assert (figures.unknown, figures.found) == (0, 1)
    assert (figures.slots_unknown, figures.slots_left) == (0, 1_000)
    assert journal.kinds() == {1: [Kind.SENDING, Kind.LOST, Kind.ACCEPTED, Kind.ENDED]}


async def test_it_holds_its_slot_for_as_long_as_it_runs() -> None:
    async with service(unknown_hold=1.0) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(100)
        await at.deliver(told("task_1", "processing"))
        await asyncio.sleep(300)
        assert at.client.statistics().slots_left == 999
        await at.deliver(told("task_1"))
        await call
        assert at.client.statistics().slots_left == 1_000


async def test_unknown_only_after_patience(caplog: pytest.LogCaptureFixture) -> None:
    """Then its slot is free; what comes later is named and written down."""
    journal = MemoryJournal()
    loop = asyncio.get_running_loop()
    async with service(journal=journal) as at:
        at.wire.answers = loses
        with pytest.raises(SubmitUnknownError, match="lost"):
            await at.client.generate("a cat", key="row 7")
        assert loop.time() == pytest.approx(180.0)
        figures = at.client.statistics()
        assert (figures.unknown, figures.slots_left, figures.slots_unknown) == (1, 1_000, 0)
        assert await at.deliver(told("task_1")) == 200
        assert await at.deliver(told("task_1")) == 200
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.__dict__["urls"] == (URL,)
    assert "task_1" in record.getMessage()
    assert URL in record.getMessage()
    assert journal.kinds() == {1: [Kind.SENDING, Kind.LOST, Kind.ACCEPTED, Kind.ENDED]}


async def test_a_caller_who_loses_patience_first() -> None:
    async with service() as at:
        at.wire.answers = loses
        with pytest.raises(TaskTimeoutError) as caught:
            await at.client.generate("a cat", timeout=10)
        task = caught.value.task
        assert task is not None
        assert task.id is None
        await at.deliver(told("task_1"))
        assert (await task).task_id == "task_1"


async def test_closing_does_not_wait_for_a_delivery() -> None:
    async with service() as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(10)
        await at.client.aclose()
        with pytest.raises(SubmitUnknownError):
            await call
        assert await at.deliver(told("task_1")) == 503


# Sent again, since paying twice is acceptable


async def test_it_is_sent_again_only_after_patience() -> None:
    async with service(resubmit_unknown=True) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(179)
        assert at.wire.sent("POST") == 1
        at.wire.answers = accepts("task_2")
        await asyncio.sleep(2)
        assert at.wire.sent("POST") == 2
        assert at.token(0) != at.token(1)
        await at.deliver(told("task_2"), submit=1)
        assert (await call).task_id == "task_2"
        assert at.client.statistics().slots_left == 1_000


async def test_what_was_sent_again_and_delivered_twice_is_paid_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = MemoryJournal()
    async with service(resubmit_unknown=True, journal=journal) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(170)
        at.wire.answers = accepts("task_2")
        await asyncio.sleep(20)
        assert await at.deliver(told("task_1"), submit=0) == 200
        assert await at.deliver(told("task_2"), submit=1) == 200
        assert (await call).task_id == "task_2"
        assert at.client.statistics().paid_twice == 1
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "task_1" in record.getMessage()
    assert "task_2" in record.getMessage()
    assert journal.kinds() == {
        1: [Kind.SENDING, Kind.LOST, Kind.ACCEPTED, Kind.ENDED],
        2: [Kind.SENDING, Kind.ACCEPTED, Kind.ENDED],
    }


async def test_one_that_is_found_in_line_is_not_sent_again() -> None:
    async with service(resubmit_unknown=True) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(170)
        at.wire.answers = lambda call: NotSentError("no route") if call.method == "POST" else None
        await asyncio.sleep(15)  # sent again, but there is no connection
        assert at.client.statistics().queued == 1
        assert await at.deliver(told("task_1")) == 200
        assert (await call).task_id == "task_1"
        figures = at.client.statistics()
        at.wire.answers = lambda _: None
        await asyncio.sleep(60)
    assert (figures.queued, figures.slots_left, figures.paid_twice) == (0, 1_000, 0)
    assert len({json.loads(call.body or b"")["callback_url"] for _, call in at.wire.calls}) > 1
    assert at.wire.core.ledger(0).accepted == 0


# Lost deliveries, and tasks that have none


async def test_where_no_delivery_comes_a_look_finds_the_end() -> None:
    async with service(service=Stuck(8.0)) as at:
        result = await at.client.generate("a cat")
        assert result.urls
        assert at.looks == 1
        assert asyncio.get_running_loop().time() < 68


@pytest.mark.parametrize("come", [0, 1])
async def test_that_no_delivery_comes_is_said_once(
    come: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with service(service=LogNormal(10.0, 0.3)) as at:
        tasks = [await at.client.submit(f"cat {number}") for number in range(8)]
        for task in tasks[:come]:
            assert await at.deliver(told(str(task.id))) == 200
        await asyncio.gather(*tasks)
    assert caplog.text.count("No webhook delivery has come yet") == 1 - come


async def test_an_own_callback_url_wins() -> None:
    async with service(service=Stuck(8.0)) as at:
        await at.client.generate("a cat", callback_url="https://mine.example/x")
        body = json.loads(at.wire.calls[0][1].body or b"")
        assert body["callback_url"] == "https://mine.example/x"
        assert asyncio.get_running_loop().time() < 10
        assert at.looks > 1


async def test_a_stuck_task_ends_by_its_delivery() -> None:
    async with service(stuck_after=100.0) as at:
        task = await at.client.submit("a cat")
        with pytest.raises(TaskStuckError):
            await task
        await at.deliver(told(str(task.id)))
        assert (await task).urls == (URL,)


async def test_a_task_that_the_api_had_lost_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async with service() as at:
        at.wire.answers = accepts("task_1")  # the emulator does not know it
        task = await at.client.submit("a cat")
        with pytest.raises(Exception, match="does not know"):
            await task
        assert await at.deliver(told("task_1")) == 200
    assert any(URL in record.getMessage() for record in caplog.records)


# Confirmed by a look


async def test_with_confirm_a_delivery_is_a_hint() -> None:
    confirming = Webhooks(public_url=HOOKS.public_url, secret=HOOKS.secret, confirm=True)
    async with service(confirming, service=Stuck(8.0)) as at:
        task = await at.client.submit("a cat")
        assert await at.deliver(told(str(task.id))) == 200  # forged: it still runs
        await asyncio.sleep(1)
        assert at.looks == 1
        assert at.client.unfinished() == [task.id]
        await asyncio.sleep(8)
        assert await at.deliver(told(str(task.id))) == 200
        assert (await task).urls != (URL,)
        assert at.looks == 2


async def test_with_confirm_a_lost_submit_is_found_and_looked_at() -> None:
    confirming = Webhooks(public_url=HOOKS.public_url, secret=HOOKS.secret, confirm=True)
    journal = MemoryJournal()
    async with service(confirming, service=Stuck(8.0), journal=journal) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(10)
        at.wire.answers = lambda _: None
        other = await at.client.submit("what the API had accepted")
        await asyncio.sleep(9)
        result = await other
        at.client.task(str(other.id))
        assert await at.deliver(told("task_unheard_of")) == 200
        assert at.client.statistics().in_flight == 1
        with pytest.raises(Exception, match="does not know"):
            await call
    assert result.urls
    assert journal.kinds()[1] == [Kind.SENDING, Kind.LOST, Kind.ACCEPTED]


# Closed, refused, of another process


async def test_a_client_that_is_not_open_says_so() -> None:
    client = NanoBananaClient("key", base_url="http://127.0.0.1:1", webhooks=HOOKS)
    assert await client.webhooks.deliver(b"", "token") == 503
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await client.generate("a cat")
    assert await client.webhooks.deliver(b"", "token") == 503


async def test_what_the_api_had_refused_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async with service() as at:
        at.wire.answers = lambda _: Reply(418, {}, b"")
        with pytest.raises(APIStatusError):
            await at.client.generate("a cat")
        assert await at.deliver(told("task_1")) == 200
    assert any(URL in record.getMessage() for record in caplog.records)


async def test_a_relay_brings_it_to_its_client() -> None:
    relay = LocalRelay()
    hooks = Webhooks(public_url=HOOKS.public_url, secret=HOOKS.secret, relay=relay)
    async with service(hooks) as one, service(hooks) as other:
        task = await one.client.submit("a cat")
        stranger = await other.client.webhooks.deliver(b"", "x")
        assert stranger == 404
        assert await other.client.webhooks.deliver(told(str(task.id)), one.token()) == 200
        assert (await task).urls == (URL,)
        token = one.token()
        await one.client.aclose()
        assert await other.client.webhooks.deliver(told(str(task.id)), token) == 503


async def test_without_a_relay_it_comes_again() -> None:
    async with service() as one, service() as other:
        task = await one.client.submit("a cat")
        assert await other.client.webhooks.deliver(told(str(task.id)), one.token()) == 503
        assert other.client.statistics().deliveries_refused == 0


async def test_the_journal_holds_no_token() -> None:
    journal = MemoryJournal()
    async with service(journal=journal) as at:
        await at.client.submit("a cat")
        token = at.token()
    assert token not in str(journal.records)
    assert HOOKS.public_url not in str(journal.records)
    assert str(HOOKS.secret, "ascii") not in repr(HOOKS)


async def test_no_log_holds_a_token_or_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with service() as at:
        at.wire.answers = loses
        calls = [asyncio.create_task(at.client.generate(f"cat {n}")) for n in range(2)]
        await asyncio.sleep(10)
        for body in (b"", told("task_1"), told("task_2"), told("task_1")):
            await at.deliver(body)
        await asyncio.gather(*calls, return_exceptions=True)
        await at.deliver(told("task_3"), submit=1)  # too late: named
        told_of = f"{caplog.text} {at.client!r} {calls}"
        assert "task_3" in told_of
        for secret in (at.token(0), at.token(1), HOOKS.secret.decode()):
            assert secret not in told_of
