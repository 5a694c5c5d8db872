"""Deliveries at the edges: those that cross a look, two attempts of one request, restarts, relays."""

import asyncio
import json
from typing import Any

import pytest

from nanobanana_async import (
    ClientClosedError,
    Kind,
    Limits,
    SubmitUnknownError,
    Webhooks,
    _attempts,
    _resume,
)
from nanobanana_async._wire import NoAnswerError, NotSentError, Reply
from nanobanana_async.emulator import Stuck
from tests.emulated import Answer, envelope
from tests.hooked import HOOKS, URL, accepts, held, loses, service, told, unix_time
from tests.memory_journal import MemoryJournal

pytestmark = pytest.mark.virtual_time


@pytest.fixture(autouse=True)
def _wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_attempts, "unix_time", unix_time)
    monkeypatch.setattr(_attempts, "first_number", lambda: 0)
    monkeypatch.setattr(_resume, "unix_time", unix_time)


def status(task_id: str, state: str) -> Reply:
    return envelope(200, data=json.loads(told(task_id, state))["data"])


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def named(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return any(text in r.getMessage() or text in str(r.__dict__) for r in caplog.records)


def held_look(at: Any, reply: "asyncio.Future[Reply]") -> None:
    at.wire.answers = lambda call: reply if call.method == "GET" else None


# A look that is under way while the delivery comes


async def test_a_look_that_was_overtaken_by_the_end_crashes_nothing() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        other = asyncio.create_task(at.client.generate("another cat"))
        states = []

        async def listen() -> None:
            states.extend([status.state async for status in task.events()])

        listener = asyncio.create_task(listen())
        await asyncio.sleep(1)
        reply = asyncio.get_running_loop().create_future()
        held_look(at, reply)
        asker = asyncio.create_task(task.status())
        await asyncio.sleep(1)
        assert await at.deliver(told(str(task.id))) == 200
        reply.set_result(status(str(task.id), "processing"))  # as it was before the end
        await asyncio.sleep(1)
        await asker
        await listener
        assert states[-1] == "success"
        at.wire.answers = lambda _: None
        assert not other.done(), other.exception()  # ClientCrashedError
        await at.client.submit("a third")
        other.cancel()


async def test_a_look_that_was_overtaken_by_the_end_does_not_change_the_last_status() -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        reply = asyncio.get_running_loop().create_future()
        held_look(at, reply)
        asker = asyncio.create_task(task.status())
        await asyncio.sleep(1)
        assert await at.deliver(told(str(task.id))) == 200
        assert (await task).urls == (URL,)
        reply.set_result(status(str(task.id), "processing"))
        await asyncio.sleep(1)
        await asker
        assert (await task.status()).state == "success"
        assert [s.state async for s in task.events()] == ["success"]


@pytest.mark.parametrize("code", [403, 404])
async def test_a_look_that_was_overtaken_counts_no_failure(code: int) -> None:
    async with service() as at:
        task = await at.client.submit("a cat")
        reply = asyncio.get_running_loop().create_future()
        held_look(at, reply)
        asker = asyncio.create_task(task.status())
        await asyncio.sleep(1)
        assert await at.deliver(told(str(task.id))) == 200
        reply.set_result(envelope(code))
        await asyncio.sleep(1)
        asker.cancel()
        figures = at.client.statistics()
    assert (figures.succeeded, figures.failed) == (1, 0)


async def test_with_confirm_a_look_sent_before_the_delivery_does_not_confirm_it() -> None:
    confirming = Webhooks(public_url=HOOKS.public_url, secret=HOOKS.secret, confirm=True)
    async with service(confirming, service=Stuck(8.0)) as at:
        task = await at.client.submit("a cat")
        reply = asyncio.get_running_loop().create_future()
        held_look(at, reply)
        await asyncio.sleep(7)
        asker = asyncio.create_task(task.status())
        await asyncio.sleep(2)
        assert await at.deliver(told(str(task.id))) == 200
        at.wire.answers = lambda _: None
        reply.set_result(status(str(task.id), "processing"))
        await asker
        began = asyncio.get_running_loop().time()
        await task
        assert asyncio.get_running_loop().time() - began < 5


# Sent again: two attempts


@pytest.mark.parametrize("answer", ["429", "400", "lost", "not sent", "503"])
async def test_the_first_attempt_is_delivered_while_the_second_is_under_way(answer: str) -> None:
    """The second is certainly not accepted, or nobody knows: the picture that is here is taken."""
    replies: dict[str, Reply | Exception] = {
        "429": envelope(429),
        "503": envelope(503),
        "400": envelope(400),
        "lost": NoAnswerError("lost"),
        "not sent": NotSentError("no route"),
    }
    async with service(resubmit_unknown=True) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(170)
        reply = asyncio.get_running_loop().create_future()
        at.wire.answers = held(reply)
        await asyncio.sleep(15)
        assert at.wire.sent("POST") == 2
        assert await at.deliver(told("task_1"), submit=0) == 200
        at.wire.answers = lambda _: None
        end = replies[answer]
        if isinstance(end, Reply):
            reply.set_result(end)
        else:
            reply.set_exception(end)
        await asyncio.sleep(600)
        assert at.wire.sent("POST") == 2
        assert (await call).task_id == "task_1"


async def test_the_first_attempt_is_delivered_while_the_second_is_unknown() -> None:
    """`resubmit_unknown` sends again only after patience without a delivery."""
    async with service(resubmit_unknown=True) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(200)
        assert at.wire.sent("POST") == 2
        assert await at.deliver(told("task_1"), submit=0) == 200
        assert at.client.statistics().slots_unknown == 1  # the second may run, too
        await asyncio.sleep(600)
        assert at.wire.sent("POST") == 2
        assert (await call).task_id == "task_1"


async def test_the_first_attempt_is_delivered_while_the_second_is_written_down() -> None:
    """It has not left yet: nothing need be paid twice."""
    journal = MemoryJournal()
    async with service(resubmit_unknown=True, journal=journal) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(170)
        journal.delay = 20.0
        at.wire.answers = accepts("task_2")
        await asyncio.sleep(15)
        assert (at.wire.sent("POST"), len(journal.kinds())) == (1, 2)
        delivery = asyncio.create_task(at.deliver(told("task_1"), submit=0))
        await asyncio.sleep(100)
        assert await delivery == 200
        assert at.wire.sent("POST") == 1
        assert (await call).task_id == "task_1"


async def both_lost_and_in_line(at: Any) -> "asyncio.Task[Any]":
    """Two attempts whose answers were lost; the third stands in line, for there is no slot."""
    at.wire.answers = accepts("task_other")
    await at.client.submit("another cat", callback_url="https://mine.example/x")

    def answers(call: Any) -> Answer:
        if call.method == "POST":
            return NoAnswerError("lost")
        return status("task_other", "processing")

    at.wire.answers = answers
    call = asyncio.create_task(at.client.generate("a cat", timeout=3_000))
    await asyncio.sleep(300)
    assert at.wire.sent("POST") == 3
    at.client.limits = Limits(concurrent_tasks=1)
    await asyncio.sleep(65)
    assert at.client.statistics().queued == 1
    assert at.wire.sent("POST") == 3
    return call


async def test_a_delivery_of_another_attempt_does_not_end_the_task_that_was_found(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with service(resubmit_unknown=True) as at:
        call = await both_lost_and_in_line(at)
        assert await at.deliver(told("task_1", "processing"), submit=1) == 200
        other = json.dumps({"resultUrls": ["https://pictures.example/2.png"]})
        assert await at.deliver(told("task_2", resultJson=other), submit=2) == 200
        assert at.client.unfinished() == ["task_other", "task_1"]
        assert at.client.statistics().paid_twice == 1
        assert named(caplog, "task_2")
        assert await at.deliver(told("task_1"), submit=1) == 200
        assert (await call).urls == (URL,)


async def test_the_other_attempt_of_one_that_was_found_in_line_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with service(resubmit_unknown=True) as at:
        call = await both_lost_and_in_line(at)
        assert await at.deliver(told("task_1"), submit=1) == 200
        assert (await call).task_id == "task_1"
        caplog.clear()
        assert await at.deliver(told("task_2"), submit=2) == 200
        assert named(caplog, "task_2")
        assert at.client.statistics().paid_twice == 1


async def test_the_end_of_one_attempt_is_not_written_down_as_that_of_another() -> None:
    journal = MemoryJournal()
    async with service(resubmit_unknown=True, journal=journal) as at:
        call = await both_lost_and_in_line(at)
        assert await at.deliver(told("task_1", "processing"), submit=1) == 200
        await at.deliver(told("task_2", "processing"), submit=2)
        at.wire.answers = lambda call: (
            status((call.query or {})["taskId"], "success") if call.method == "GET" else None
        )
        assert (await call).task_id == "task_1"
    ends = {r.attempt: r.data["status"]["taskId"] for r in journal.records if r.kind is Kind.ENDED}
    assert ends == {1: "task_other", 2: "task_1"}


# After a restart


async def restarted(journal: MemoryJournal, token: str, body: bytes, *, resume: bool) -> int:
    async with service(journal=journal) as at:
        if resume:
            at.client.resume()
        return await at.client.webhooks.deliver(body, token)


async def test_late_delivery_of_an_acknowledged_unknown_one_after_a_restart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = MemoryJournal()
    async with service(journal=journal) as at:
        at.wire.answers = loses
        run = at.client.generate_many(["a cat"])
        async for outcome in run:
            assert isinstance(outcome.error, SubmitUnknownError)
            outcome.acknowledge()
        token = at.token()
    caplog.clear()
    assert await restarted(journal, token, told("task_1"), resume=False) == 200
    assert named(caplog, URL)


async def test_the_first_attempt_is_delivered_after_the_second_was_acknowledged_and_a_restart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = MemoryJournal()
    async with service(journal=journal, resubmit_unknown=True) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.submit("a cat"))
        await asyncio.sleep(170)
        at.wire.answers = accepts("task_2")
        task = await call
        await at.deliver(told("task_2"), submit=1)
        task.acknowledge()
        token = at.token(0)
    caplog.clear()
    assert await restarted(journal, token, told("task_1"), resume=False) == 200
    assert named(caplog, URL)


async def test_a_delivery_for_an_earlier_clients_task_that_was_adopted_by_its_id() -> None:
    journal = MemoryJournal()
    async with service(journal=journal) as at:
        at.wire.answers = accepts("task_1")
        await at.client.submit("a cat")
        token = at.token()
    async with service(journal=journal) as at:
        at.wire.answers = lambda call: (
            status("task_1", "processing") if call.method == "GET" else None
        )
        wait = asyncio.create_task(at.client.task("task_1").result())
        await asyncio.sleep(1)
        assert await at.client.webhooks.deliver(told("task_1"), token) == 200
        await asyncio.sleep(1)
        assert wait.done()
        wait.cancel()


# Journals that break


async def test_the_delivery_of_a_lost_one_that_cannot_be_written_down_is_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of an earlier client, not resumed: neither journal nor caller nor log has it."""
    journal = MemoryJournal()
    async with service(journal=journal) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(10)
        token = at.token()
    with pytest.raises(SubmitUnknownError):
        await call
    journal.breaks = lambda record: record.kind is Kind.ENDED
    caplog.clear()
    status = await restarted(journal, token, told("task_1"), resume=False)
    assert status != 200 or named(caplog, "task_1")


# Relays


class Relay:
    def __init__(self, *, hangs: bool = False, leave_raises: bool = False) -> None:
        self.hangs, self.leave_raises = hangs, leave_raises

    async def publish(self, body: bytes, token: str) -> int | None:
        del body, token
        if self.hangs:
            await asyncio.Event().wait()
        return None

    def subscribe(self, take: Any) -> Any:
        del take

        def leave() -> None:
            if self.leave_raises:
                raise ConnectionError("the relay is gone")

        return leave


async def test_a_relay_that_hangs_does_not_hold_a_delivery_for_ever() -> None:
    hooks = Webhooks(public_url=HOOKS.public_url, secret=HOOKS.secret, relay=Relay(hangs=True))
    async with service() as other, service(hooks) as at:
        await other.client.submit("a cat")
        async with asyncio.timeout(30):
            assert await at.client.webhooks.deliver(told("task_1"), other.token()) == 503


async def test_a_relay_that_raises_on_leaving_leaves_nobody_hanging() -> None:
    hooks = Webhooks(
        public_url=HOOKS.public_url, secret=HOOKS.secret, relay=Relay(leave_raises=True)
    )
    journal = MemoryJournal()
    async with service(hooks, journal=journal) as at:
        at.wire.answers = held(asyncio.get_running_loop().create_future())
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(1)
        await at.client.aclose()
        async with asyncio.timeout(100):
            with pytest.raises((SubmitUnknownError, ClientClosedError)):
                await call
    assert not journal.in_use


# Memory, slots, counters


async def test_submits_that_were_given_up_are_not_kept_for_ever() -> None:
    async with service() as at:
        at.wire.answers = loses
        calls = [asyncio.create_task(at.client.generate(f"{n}")) for n in range(20)]
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(7 * 86_400)
        at.wire.answers = accepts("task_9")
        task = await at.client.submit("a cat")
        await at.deliver(told(str(task.id)), submit=20)
        engine = at.client._engine
        assert engine is not None
        assert len(engine.callbacks._owned) < 20


async def test_a_slot_that_statistics_gave_back_is_taken_again_by_what_is_found() -> None:
    limits = Limits(requests_per_minute=2, concurrent_tasks=5)
    async with service(limits=limits) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.generate("a cat"))
        await asyncio.sleep(1)
        at.wire.answers = lambda _: None
        engine = at.client._engine
        assert engine is not None
        until = engine.submits.next_expiry()
        await asyncio.sleep(until - asyncio.get_running_loop().time() - 5)
        others = [asyncio.create_task(at.client.balance()) for _ in range(8)]
        await asyncio.sleep(5)
        found = False
        for _ in range(200):
            await asyncio.sleep(0.1)
            if at.client.statistics().unknown:
                break
            if await at.deliver(told("task_1", "processing")) == 200:
                found = True
                break
        for other in others:
            other.cancel()
        if found:
            assert at.client.statistics().slots_left == 4
        call.cancel()


async def test_what_is_paid_twice_is_counted_once() -> None:
    async with service(resubmit_unknown=True) as at:
        at.wire.answers = loses
        call = asyncio.create_task(at.client.submit("a cat"))
        await asyncio.sleep(170)
        at.wire.answers = accepts("task_2")
        await call
        for _ in range(4):
            assert await at.deliver(told("task_1", resultJson=""), submit=0) == 200
        assert at.client.statistics().paid_twice == 1
