"""What a client records, and what a later one makes of it: a journal's life over two processes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import define

from nanobanana_async import (
    ImageRequest,
    JournalError,
    JournalInUseError,
    Kind,
    Limits,
    NanoBananaClient,
    NotSubmittedError,
    Outcome,
    Record,
    SubmitUnknownError,
    TaskFailedError,
    TaskStuckError,
    Webhooks,
    _attempts,
    _resume,
)
from nanobanana_async._wire import NoAnswerError, NotSentError
from nanobanana_async.emulator import EmulatorCore, Ledger, MemoryTransport, Settings, Stuck
from tests.emulated import EPOCH, Answer, Wire, envelope, rest_of
from tests.memory_journal import MemoryJournal

pytestmark = pytest.mark.virtual_time
SECONDS = 10.0


@pytest.fixture(autouse=True)
def _wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock goes with the loop's."""

    def now() -> float:
        return EPOCH + asyncio.get_running_loop().time()

    monkeypatch.setattr(_attempts, "unix_time", now)
    monkeypatch.setattr(_attempts, "first_number", lambda: 0)
    monkeypatch.setattr(_resume, "unix_time", now)


@define
class Account:
    """One emulator and one journal, for several clients after each other."""

    core: EmulatorCore
    journal: MemoryJournal

    def ledger(self) -> Ledger:
        return self.core.ledger(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[tuple[NanoBananaClient, Wire]]:
        wire = Wire(MemoryTransport(self.core))
        async with NanoBananaClient(transport=wire, journal=self.journal, **options) as opened:
            yield opened, wire

    async def crash(self, *prompts: str, after: float = 1.0, **options: Any) -> None:
        """A client that submits these and ends before anybody has what came of it."""
        async with self.client(**options) as (client, _):
            calls = [
                asyncio.create_task(client.generate(prompt, key=f"key of {prompt}"))
                for prompt in prompts
            ]
            await asyncio.sleep(after)
        await asyncio.gather(*calls, return_exceptions=True)

    async def resumed(self, **options: Any) -> list[Outcome]:
        async with self.client(**options) as (client, wire):
            outcomes = [outcome async for outcome in client.resume()]
            assert wire.sent("POST") == 0
            return outcomes


def account(**settings: Any) -> Account:
    settings = {"service": Stuck(SECONDS)} | settings
    return Account(EmulatorCore(Settings(**settings), epoch=EPOCH), MemoryJournal())


async def test_a_life_in_records() -> None:
    here = account()
    async with here.client() as (client, _):
        result = await client.generate(
            "cat", key="7", resolution="2K", callback_url="https://x.y/?s=1"
        )
    sending, accepted, ended = here.journal.records
    assert [*here.journal.kinds().values()] == [[Kind.SENDING, Kind.ACCEPTED, Kind.ENDED]]
    request = {"prompt": "cat", "resolution": "2K"}
    assert sending.data == {"key": "7", "model": "nano-banana-2", "request": request}
    assert accepted.data == {"task_id": result.task_id}
    assert ended.data["status"]["state"] == "success"
    assert EPOCH <= sending.at <= accepted.at < ended.at < EPOCH + 2 * SECONDS


async def test_it_is_on_record_before_it_is_sent_and_before_anybody_is_told() -> None:
    here = account()
    here.journal.delay = 3.0
    async with here.client() as (client, wire):
        loop = asyncio.get_running_loop()
        began = loop.time()
        task = await client.submit("cat")
        assert wire.calls[0][0] - began == pytest.approx(3.0)
        assert loop.time() - began == pytest.approx(6.0)
        assert [record.kind for record in here.journal.records] == [Kind.SENDING, Kind.ACCEPTED]
        await task
        assert here.journal.kinds()[1][-1] is Kind.ENDED
        assert loop.time() >= wire.calls[-1][0] + 3.0


async def test_what_was_not_accepted_is_on_record_as_refused_and_sent_anew() -> None:
    here = account()
    async with here.client() as (client, wire):
        answers: Iterator[Answer] = iter([envelope(429), NotSentError("no route"), envelope(503)])
        wire.answers = lambda call: next(answers, None) if call.method == "POST" else None
        await client.generate("cat", key="a")
    refused = [Kind.SENDING, Kind.REFUSED]
    assert list(here.journal.kinds().values())[:3] == [refused] * 3
    assert here.journal.kinds()[4] == [Kind.SENDING, Kind.ACCEPTED, Kind.ENDED]


async def test_finished_running_and_unknown_ones_are_handed_out() -> None:
    here = account()
    async with here.client() as (client, wire):
        done = [await client.generate(f"done {n}", key=f"done {n}") for n in range(2)]
        wire.answers = lambda call: NoAnswerError("cut") if b"lost" in (call.body or b"") else None
        with pytest.raises(SubmitUnknownError):
            await client.generate("lost", key="lost")
        wire.answers = lambda _: None
        running = await client.submit("running", key="running", resolution="4K")
        await asyncio.sleep(1)
    outcomes = await here.resumed()
    assert [outcome.key for outcome in outcomes] == ["done 0", "done 1", "lost", "running"]
    assert [o.result.urls for o in outcomes[:2] if o.result] == [result.urls for result in done]
    assert isinstance(outcomes[2].error, SubmitUnknownError)
    assert outcomes[2].error.request == ImageRequest("lost", key="lost")
    assert outcomes[3].result is not None
    assert outcomes[3].result.task_id == running.id
    assert outcomes[3].request == ImageRequest("running", key="running", resolution="4K")
    assert here.ledger().accepted == 3


async def test_what_is_acknowledged_is_not_handed_out_again() -> None:
    here = account()
    await here.crash("one", "two", "three")
    async with here.client() as (client, _):
        async for outcome in client.resume():
            if outcome.key != "key of two":
                outcome.acknowledge()
        assert [outcome async for outcome in client.resume()] == []  # once a client
    assert [outcome.key for outcome in await here.resumed()] == ["key of two"]


async def test_generate_many_and_handles_are_acknowledged_likewise() -> None:
    here = account()
    async with here.client() as (client, _):
        outcomes, _error = await rest_of(client.generate_many(["one", "two"]))
        assert [outcome.attempt for outcome in outcomes] == [1, 2]
        outcomes[0].acknowledge()
        task = await client.submit("three")
        await task
        task.acknowledge()
    assert [outcome.attempt for outcome in await here.resumed()] == [2]


async def test_a_running_one_is_looked_at_soon_and_holds_its_slot() -> None:
    here = account(service=Stuck(60.0), concurrent_tasks=3)
    limits = Limits(concurrent_tasks=3)
    await here.crash("one", "two", after=30.0, limits=limits)
    async with here.client(limits=limits) as (client, _):
        resumed = client.resume()
        assert client.statistics().slots_left == 1
        assert client.statistics().in_flight == 2
        fresh = [client.generate("three"), client.generate("four")]
        began = asyncio.get_running_loop().time()
        third, fourth = [asyncio.create_task(one) for one in fresh]
        outcomes = [outcome async for outcome in resumed]
        # They are 30 s old: they end 30 s later, and it is seen as soon as a cold client can.
        assert asyncio.get_running_loop().time() - began < 45
        assert all(outcome.result for outcome in outcomes)
        await third
        await fourth
        assert client.statistics().refusals == 0
    assert here.ledger().most_tasks <= 3


async def test_an_unknown_one_holds_a_slot_until_its_hold_is_over() -> None:
    here = account(concurrent_tasks=1)
    async with here.client() as (client, wire):
        wire.answers = lambda _: NoAnswerError("cut")
        with pytest.raises(SubmitUnknownError):
            await client.generate("lost")
    await asyncio.sleep(50)
    async with here.client(limits=Limits(concurrent_tasks=1)) as (client, wire):
        client.resume()
        assert client.statistics().slots_left == 0
        began = asyncio.get_running_loop().time()
        await client.generate("next")
        sent_at = wire.calls[0][0]
        assert sent_at - began == pytest.approx(70, abs=1)
    await asyncio.sleep(200)
    async with here.client(limits=Limits(concurrent_tasks=1)) as (client, _):
        client.resume()
        assert client.statistics().slots_left == 1


async def test_keys_of_what_may_be_paid() -> None:
    here = account()
    async with here.client() as (client, wire):
        wire.answers = lambda call: envelope(400) if b"bad" in (call.body or b"") else None
        calls = [client.generate(prompt, key=prompt) for prompt in ("good", "bad")]
        await asyncio.gather(*calls, return_exceptions=True)
        assert client.sent() == {}
    async with here.client() as (client, _):
        assert client.sent().keys() == {"good"}
        assert [outcome.key async for outcome in client.resume()] == ["good"]


async def test_a_stuck_one_is_told_and_stays_in_the_journal() -> None:
    here = account(service=Stuck(1e6))
    await here.crash("endless")
    (outcome,) = await here.resumed(stuck_after=300.0)
    assert isinstance(outcome.error, TaskStuckError)
    assert len(await here.resumed(stuck_after=300.0)) == 1


async def test_one_that_failed_while_nobody_looked() -> None:
    here = account()
    await here.crash("a forbidden cat")
    (outcome,) = await here.resumed()
    assert isinstance(outcome.error, TaskFailedError)
    (again,) = await here.resumed()
    assert isinstance(again.error, TaskFailedError)
    assert again.error.fail_code == outcome.error.fail_code == "CONTENT_VIOLATION"


async def test_two_attempts_with_one_task_are_one_task_and_one_unknown() -> None:
    here = account()
    await here.crash("one")
    sending, accepted = here.journal.records[:2]
    here.journal.records[2:] = [
        Record(2, Kind.SENDING, sending.at, sending.data),
        Record(2, Kind.ACCEPTED, accepted.at, accepted.data),
    ]
    unknown, known = await here.resumed()
    assert isinstance(unknown.error, SubmitUnknownError)
    assert known.result is not None
    assert (known.attempt, unknown.attempt) == (1, 2)


async def test_one_client_at_a_time() -> None:
    here = account()
    async with here.client():
        with pytest.raises(JournalInUseError):
            async with here.client():
                pass
        other = NanoBananaClient(transport=MemoryTransport(here.core), journal=here.journal)
        with pytest.raises(JournalInUseError):
            await other.generate("cat")
        with pytest.raises(JournalInUseError):
            await anext(other.resume())
        await other.aclose()


def fails_at(kind: Kind, number: int) -> Callable[[Record], bool]:
    return lambda record: record.kind is kind and record.attempt >= number


async def test_what_cannot_be_recorded_is_not_sent_and_costs_no_slot() -> None:
    here = account()
    here.journal.breaks = fails_at(Kind.SENDING, 3)
    async with here.client() as (client, wire):
        first = [asyncio.create_task(client.generate(f"{n}")) for n in range(2)]
        await asyncio.sleep(1)
        with pytest.raises(JournalError, match="the disk is full"):
            await client.generate("three")
        with pytest.raises(JournalError, match="the disk is full"):
            await client.submit("four")
        assert wire.sent("POST") == 2
        assert client.statistics().slots_left == 998
        # What runs is brought to its end, though its end cannot be recorded.
        assert all(await asyncio.gather(*first))
        assert client.statistics().slots_left == 1000
    assert len(await here.resumed()) == 2


async def test_an_acceptance_that_cannot_be_recorded_is_logged_and_stops_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    here = account()
    here.journal.breaks = fails_at(Kind.ACCEPTED, 1)
    async with here.client() as (client, _):
        task = await client.submit("cat")
        assert [getattr(record, "task_id", None) for record in caplog.records] == [task.id]
        with pytest.raises(JournalError):
            await client.generate("dog")
        await task
    here.journal.breaks = lambda _: False
    (outcome,) = await here.resumed()
    assert isinstance(outcome.error, SubmitUnknownError)


async def test_a_run_whose_journal_breaks_hands_out_what_runs_and_then_raises() -> None:
    here = account()
    here.journal.breaks = fails_at(Kind.SENDING, 6)
    async with here.client() as (client, _):
        outcomes, error = await rest_of(client.generate_many(f"{n}" for n in range(5000)))
    assert isinstance(error, JournalError)
    assert sum(outcome.result is not None for outcome in outcomes) == 5
    unpaid = [outcome for outcome in outcomes if outcome.result is None]
    assert all(isinstance(outcome.error, NotSubmittedError | JournalError) for outcome in unpaid)
    assert here.ledger().accepted == 5


async def test_with_resubmit_unknown_every_lost_attempt_is_acknowledged() -> None:
    here = account()
    async with here.client(resubmit_unknown=True) as (client, wire):
        answers = iter([NoAnswerError("cut"), NoAnswerError("cut")])
        wire.answers = lambda call: next(answers, None) if call.method == "POST" else None
        (outcome,), _ = await rest_of(client.generate_many(["cat"]))
        assert outcome.attempt == 3
        outcome.acknowledge()
    assert await here.resumed() == []


# With webhooks

HOOKS: dict[str, Any] = {
    "webhooks": Webhooks(public_url="http://127.0.0.1:1/hooks", secret="a secret of the tests"),
    "base_url": "http://127.0.0.1:1",
}


def token_of(wire: Wire, submit: int = 0) -> str:
    bodies = [json.loads(call.body) for _, call in wire.calls if call.body]
    return str(bodies[submit]["callback_url"]).rpartition("/")[2]


def told(task_id: str) -> bytes:
    urls = json.dumps({"resultUrls": ["https://pictures.example/cat.png"]})
    data = {"taskId": task_id, "state": "success", "resultJson": urls}
    return json.dumps({"code": 200, "message": "", "data": data}).encode()


async def test_a_delivery_reaches_the_next_client() -> None:
    """While it runs, and before anybody has called `resume`."""
    here = account(service=Stuck(3_600.0))
    async with here.client(**HOOKS) as (client, wire):
        running = [await client.submit(f"cat {n}", key=f"cat {n}") for n in range(2)]
        tokens = [token_of(wire, n) for n in range(2)]
    async with here.client(**HOOKS) as (client, wire):
        assert await client.webhooks.deliver(told(str(running[0].id)), tokens[0]) == 200
        assert here.journal.kinds()[1] == [Kind.SENDING, Kind.ACCEPTED, Kind.ENDED]
        resumption = client.resume()
        first = await anext(resumption)
        assert (first.key, first.error) == ("cat 0", None)
        assert wire.calls == []
        assert client.unfinished() == [running[1].id]
        assert await client.webhooks.deliver(told(str(running[1].id)), tokens[1]) == 200
        second = await anext(resumption)
        assert (second.key, second.error) == ("cat 1", None)
        assert await client.webhooks.deliver(told(str(running[1].id)), tokens[1]) == 200
    assert here.journal.kinds()[2] == [Kind.SENDING, Kind.ACCEPTED, Kind.ENDED]


@pytest.mark.parametrize("resumed", [False, True], ids=["before resume", "after it"])
async def test_a_lost_submit_is_found_by_the_next_client(*, resumed: bool) -> None:
    here = account()
    async with here.client(**HOOKS) as (client, wire):
        wire.answers = lambda call: NoAnswerError("cut") if call.method == "POST" else None
        call = asyncio.create_task(client.generate("cat", key="cat"))
        await asyncio.sleep(10)
        token = token_of(wire)
    await asyncio.gather(call, return_exceptions=True)
    async with here.client(**HOOKS) as (client, wire):
        resumption = client.resume() if resumed else None
        await asyncio.sleep(30)
        assert client.statistics().slots_unknown == int(resumed)
        assert await client.webhooks.deliver(told("task_1"), token) == 200
        outcomes = [outcome async for outcome in resumption or client.resume()]
        assert [outcome.result and outcome.result.task_id for outcome in outcomes] == ["task_1"]
        assert client.sent() == {"cat": None if resumed else "task_1"}
        assert client.statistics().slots_left == 1_000
        outcomes[0].acknowledge()
        assert wire.sent("POST") == 0
    assert here.journal.kinds() == {
        1: [Kind.SENDING, Kind.LOST, Kind.ACCEPTED, Kind.ENDED, Kind.ACKNOWLEDGED]
    }
    assert await here.resumed() == []


async def test_a_lost_submit_of_an_earlier_client_is_unknown_once_patience_is_over() -> None:
    here = account()
    async with here.client(**HOOKS) as (client, wire):
        wire.answers = lambda call: NoAnswerError("cut") if call.method == "POST" else None
        call = asyncio.create_task(client.generate("cat", key="cat"))
        await asyncio.sleep(10)
    await asyncio.gather(call, return_exceptions=True)
    async with here.client(**HOOKS) as (client, _):
        (outcome,) = [outcome async for outcome in client.resume()]
        assert isinstance(outcome.error, SubmitUnknownError)
        assert asyncio.get_running_loop().time() == pytest.approx(180.0)
        assert client.statistics().slots_left == 1_000
    # Patience counts from when it was sent: the third client has none left.
    async with here.client(**HOOKS) as (client, _):
        (outcome,) = [outcome async for outcome in client.resume()]
        assert isinstance(outcome.error, SubmitUnknownError)
        assert asyncio.get_running_loop().time() == pytest.approx(180.0)
