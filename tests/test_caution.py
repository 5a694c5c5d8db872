"""Trouble that concerns more than one request: who stops, who probes, who goes on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise
from typing import Any, Final

import pytest

from nanobanana_async import (
    APIConnectionError,
    ClientClosedError,
    ImageRequest,
    ImageResult,
    NanoBananaClient,
    QueueTimeoutError,
    SubmitUnknownError,
    TaskStuckError,
    TaskTimeoutError,
)
from nanobanana_async._wire import Call, NotSentError, Reply
from nanobanana_async.emulator import ByResolution, LogNormal, Stuck
from tests.emulated import Answer, Wire, emulated, envelope

pytestmark = pytest.mark.virtual_time

BAD_GATEWAY = Reply(502, {}, b"<html>Bad Gateway</html>")


RESUBMITTING: Final[dict[str, Any]] = {"resubmit_unknown": True}


def now() -> float:
    return asyncio.get_running_loop().time()


async def ends_of(calls: Sequence[asyncio.Task[Any]]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


class TestUnknownInARow:
    async def test_after_eight_one_is_sent_at_a_time_ever_less_often(self) -> None:
        async with emulated(service=Stuck(5.0)) as (client, wire):
            wire.answers = lambda _: BAD_GATEWAY
            calls = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(40)]
            await asyncio.sleep(100)
            sent_at = [time for time, call in wire.calls if call.method == "POST"]
            gaps = [after - before for before, after in pairwise(sent_at)]
            assert len(sent_at) <= 8 + 3 + 7  # a batch may go beyond the eighth
            assert gaps[-5:] == [pytest.approx(gap, rel=0.25) for gap in (4, 8, 16, 30, 30)]
            wire.answers = lambda _: None
            ends = await ends_of(calls)
        unknown = sum(isinstance(end, SubmitUnknownError) for end in ends)
        assert unknown == len(sent_at)
        assert wire.core.ledger(now()).accepted == 40 - unknown

    @pytest.mark.parametrize("answer", [envelope(400), envelope(429)], ids=["a refusal", "not now"])
    async def test_an_answer_that_is_one_ends_it(self, answer: Reply) -> None:
        async with emulated(service=Stuck(5.0)) as (client, wire):
            posts = 0

            def answers(call: Call) -> Answer:
                nonlocal posts
                posts += call.method == "POST"
                if call.method == "GET" or posts > 13:
                    return None
                return answer if posts == 13 else BAD_GATEWAY

            wire.answers = answers
            calls = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(100)]
            ends = await ends_of(calls)
            assert now() < 60
        assert sum(isinstance(end, SubmitUnknownError) for end in ends) == 12

    async def test_they_are_said_once(self, caplog: pytest.LogCaptureFixture) -> None:
        async with emulated(service=Stuck(5.0)) as (client, wire):
            wire.answers = lambda call: BAD_GATEWAY if call.method == "POST" else None
            await ends_of([asyncio.create_task(client.generate(f"cat {n}")) for n in range(15)])
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(warnings) == 1
        assert "in a row" in warnings[0].message


class TestUnknownSlots:
    async def test_the_hold_is_learned_from_what_tasks_take(self) -> None:
        """After 200 completions: as long as 99 of 100 tasks take, but 30 s at least."""
        async with emulated(service=LogNormal(40.0, 0.2), seed=3) as (client, wire):
            assert await self.hold(client, wire) == pytest.approx(120, abs=1)
            await asyncio.gather(*(client.generate(f"cat {n}") for n in range(250)))
            learned = await self.hold(client, wire)
            assert 55 < learned < 75

    async def test_another_class_has_a_hold_of_its_own(self) -> None:
        async with emulated(service=Stuck(2.0)) as (client, wire):
            await asyncio.gather(*(client.generate(f"cat {n}") for n in range(250)))
            assert await self.hold(client, wire) == pytest.approx(30, abs=1)
            slow = ImageRequest("a cat", resolution="4K")
            assert await self.hold(client, wire, slow) == pytest.approx(120, abs=1)

    async def hold(
        self, client: NanoBananaClient, wire: Wire, request: ImageRequest | str = "lost"
    ) -> float:
        """Lose the answer to a submit, and wait until its slot is free again."""
        await asyncio.sleep(200)
        wire.answers = lambda call: BAD_GATEWAY if call.method == "POST" else None
        with pytest.raises(SubmitUnknownError):
            await client.generate(request)
        wire.answers = lambda _: None
        began = now()
        while client.statistics().slots_unknown:
            await asyncio.sleep(0.5)
        return now() - began


class TestTheWholePoller:
    @staticmethod
    def looks_fail(call: Call) -> Answer:
        return BAD_GATEWAY if call.method == "GET" else None

    async def test_twenty_failures_over_three_tasks_stop_looks_and_submits(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with emulated(service=Stuck(10.0)) as (client, wire):
            tasks = [await client.submit(f"cat {n}") for n in range(30)]
            wire.answers = self.looks_fail
            await asyncio.sleep(10)
            assert "no useful answer" in caplog.text
            wire.answers = lambda _: BAD_GATEWAY
            posts, looks = wire.sent("POST"), wire.sent("GET")
            call = asyncio.create_task(client.generate("a late cat", resubmit_unknown=True))
            await asyncio.sleep(100)
            # Probes are 2, 4, 8, 16, 30, 30 s apart; every fourth is the submit that waits.
            assert wire.sent("POST") - posts in (1, 2)
            assert 3 <= wire.sent("GET") - looks <= 8
            wire.answers = lambda _: None
            await asyncio.gather(*tasks, call)
        assert "The API answers again" in caplog.text

    async def test_one_or_two_tasks_back_off_alone(self) -> None:
        async with emulated(service=Stuck(10.0)) as (client, wire):
            tasks = [await client.submit(f"cat {n}") for n in range(2)]
            wire.answers = self.looks_fail
            await asyncio.sleep(600)
            await client.submit("another")  # at once: submits are not stopped
            wire.answers = lambda _: None
            await asyncio.gather(*tasks)

    async def test_any_good_answer_in_between_begins_the_count_anew(self) -> None:
        async with emulated(service=Stuck(100.0)) as (client, wire):
            tasks = [await client.submit(f"cat {n}") for n in range(10)]
            count = 0

            def every_tenth_is_good(_: Call) -> Answer:
                nonlocal count
                count += 1
                return None if count % 10 == 0 else BAD_GATEWAY

            wire.answers = every_tenth_is_good
            await asyncio.sleep(60)
            wire.answers = lambda _: None
            await client.submit("not stopped", timeout=1)
            await asyncio.gather(*tasks)

    async def test_a_submit_is_not_the_first_probe(self) -> None:
        """Its answer might be lost, and it paid for. Not where no task can be seen finished either."""
        async with emulated(service=Stuck(1e6), client={"stuck_after": 5.0}) as (client, wire):
            tasks = [await client.submit(f"cat {n}") for n in range(4)]
            ends = await ends_of([asyncio.create_task(task.result()) for task in tasks])
            assert all(isinstance(end, TaskStuckError) for end in ends)
            wire.answers = self.looks_fail  # the next looks at stuck tasks: a minute apart
            await asyncio.sleep(600)
            posts = wire.sent("POST")
            call = asyncio.create_task(client.generate("a cat"))
            await asyncio.sleep(1)
            assert wire.sent("POST") == posts
            wire.answers = lambda _: None
            with pytest.raises(TaskStuckError):
                await call


class TestProbesThatAreNeverAnswered:
    """Then submits find out by themselves, slowly: a call must not wait for what never comes."""

    @staticmethod
    def first_refused(*, look: Reply | None, balance: Reply | None) -> Callable[[Call], Answer]:
        refusals = iter([envelope(429)])

        def answer(call: Call) -> Answer:
            if call.method == "POST":
                return next(refusals, None)
            return balance if "balance" in call.path else look

        return answer

    @pytest.mark.parametrize("balance", [BAD_GATEWAY, envelope(429)], ids=["broken", "refused"])
    async def test_nothing_runs_and_the_balance_tells_nothing(self, balance: Reply) -> None:
        async with emulated(service=Stuck(5.0)) as (client, wire):
            wire.answers = self.first_refused(look=None, balance=balance)
            await client.generate("a cat")
            assert now() < 120

    async def test_one_task_runs_and_no_look_is_ever_answered(self) -> None:
        async with emulated(service=Stuck(5.0)) as (client, wire):
            running = await client.submit("a first cat")
            wire.answers = self.first_refused(look=BAD_GATEWAY, balance=BAD_GATEWAY)
            await client.submit("a second cat")
            assert now() < 300
            wire.answers = lambda _: None
            await running


class TestAFewSlots:
    async def test_refusals_at_a_small_load_are_forgotten(self) -> None:
        """Slots that were lost to refusals come back, also where nothing runs that could show it."""
        async with emulated(service=Stuck(5.0), round_trip=0.3) as (client, wire):
            refusals = iter([envelope(429)] * 4)
            wire.answers = lambda call: next(refusals, None) if call.method == "POST" else None
            await asyncio.gather(*(client.generate(f"cat {n}") for n in range(10)))
            await asyncio.sleep(600)
            assert client.statistics().slots_left == 1_000

    async def test_retry_after_of_a_submit_is_kept(self) -> None:
        refused = Reply(429, {"retry-after": "30"}, b"")
        async with emulated(service=Stuck(5.0)) as (client, wire):
            refusals = iter([refused])
            wire.answers = lambda call: next(refusals, None) if call.method == "POST" else None
            await client.generate("a cat")
            posts = [time for time, call in wire.calls if call.method == "POST"]
            assert posts[1] - posts[0] == pytest.approx(30, abs=0.1)


class TestResubmitting:
    async def test_a_later_refusal_does_not_say_that_nothing_was_paid(self) -> None:
        """The first attempt may have been accepted, whatever became of the second."""
        async with emulated(client=RESUBMITTING) as (client, wire):
            answers = iter([BAD_GATEWAY, envelope(400)])
            wire.answers = lambda _: next(answers)
            with pytest.raises(SubmitUnknownError) as caught:
                await client.generate("a cat")
            assert caught.value.request == ImageRequest("a cat")

    async def test_nor_does_a_time_out_in_the_queue(self) -> None:
        async with emulated(client=RESUBMITTING) as (client, wire):
            answers = iter([BAD_GATEWAY])
            wire.answers = lambda _: next(answers, envelope(503))
            with pytest.raises(SubmitUnknownError):
                await client.generate("a cat", timeout=10)
            wire.answers = lambda _: envelope(503)
            with pytest.raises(QueueTimeoutError):
                await client.generate("a dog", timeout=10)

    async def test_nor_does_leaving_go_unsaid(self, caplog: pytest.LogCaptureFixture) -> None:
        async with emulated(client=RESUBMITTING) as (client, wire):
            answers = iter([BAD_GATEWAY])
            wire.answers = lambda _: next(answers, envelope(503))
            call = asyncio.create_task(client.generate("a cat"))
            await asyncio.sleep(5)
            call.cancel()
            await asyncio.wait([call])
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "may have been accepted" in caplog.text


class TestTheNetwork:
    async def test_a_last_probe_is_sent_before_giving_up(self) -> None:
        """With 60 s of patience and probes ever less often, one that comes back is not missed."""
        async with emulated(service=Stuck(5.0)) as (client, wire):
            wire.answers = lambda _: NotSentError("unreachable")
            asyncio.get_running_loop().call_later(57, setattr, wire, "answers", lambda _: None)
            await client.generate("a cat")
            assert now() < 65

    async def test_and_where_that_fails_too_the_calls_fail(self) -> None:
        async with emulated() as (client, wire):
            wire.answers = lambda _: NotSentError("unreachable")
            with pytest.raises(APIConnectionError):
                await client.generate("a cat")
            assert now() == pytest.approx(60, abs=1.5)


class TestAdoptedTasks:
    @pytest.mark.parametrize("own_first", [True, False], ids=["by own tasks", "by the Date header"])
    @pytest.mark.parametrize("clock_offset", [0.0, 3_600.0, -3_600.0])
    async def test_their_age_counts_from_when_the_api_accepted_them(
        self, clock_offset: float, *, own_first: bool
    ) -> None:
        async with emulated(
            service=Stuck(1e6), clock_offset=clock_offset, client={"stuck_after": 2_000.0}
        ) as (client, wire):
            task_id = str((await client.submit("an old cat")).id)
            await asyncio.sleep(700)
            async with NanoBananaClient(transport=wire, stuck_after=1_000.0) as later:
                if own_first:
                    task = await later.submit("a young cat")
                    with pytest.raises(TaskTimeoutError):
                        await task.result(timeout=10)
                with pytest.raises(TaskStuckError):
                    await later.task(task_id)
                assert 1_000 <= now() <= 1_060  # at the first look from then on

    async def test_a_clock_that_was_set_back_makes_none_old(self) -> None:
        async with emulated(service=Stuck(1e6), clock_jumps=[(20.0, -3_600.0)]) as (client, wire):
            own = await client.submit("a cat")
            with pytest.raises(TaskTimeoutError):
                await own.result(timeout=30)
            async with NanoBananaClient(transport=wire) as other:
                fresh = str((await other.submit("a fresh cat")).id)
            with pytest.raises(TaskTimeoutError):
                await client.task(fresh).result(timeout=60)


class TestUnfinished:
    async def test_it_names_what_runs_in_an_open_client_and_in_a_closed_one(self) -> None:
        slow = ByResolution({"1K": Stuck(5.0), "2K": Stuck(1e6), "4K": Stuck(1e6)})
        async with emulated(service=slow) as (client, _):
            assert client.unfinished() == []
            quick = await client.submit("a quick cat")
            left = [(await client.submit("a cat", resolution="2K")).id for _ in range(3)]
            assert client.unfinished() == [quick.id, *left]
            await quick
            assert client.unfinished() == left
        assert client.unfinished() == left


class TestTheOwner:
    async def test_cancelled_before_its_first_step_it_leaves_nobody_waiting(self) -> None:
        async with emulated() as (client, _):
            for task in asyncio.all_tasks():
                if task.get_name() == "nanobanana_async owner":
                    task.cancel()
            with pytest.raises(ClientClosedError):
                await client.generate("a cat")


class TestClosingFromWithin:
    async def test_a_source_may_close_the_client_that_reads_it(self) -> None:
        async with emulated(service=Stuck(5.0)) as (client, _):

            async def prompts() -> AsyncIterator[str]:
                yield "a cat"
                await client.aclose()
                yield "never read"

            async with asyncio.timeout(100):
                with pytest.raises(Exception, match="closed"):
                    async for _outcome in client.generate_many(prompts()):
                        pass

    async def test_even_in_a_task_that_the_source_waits_for(self) -> None:
        async with emulated(service=Stuck(5.0)) as (client, _):

            async def prompts() -> AsyncIterator[str]:
                yield "a cat"
                await asyncio.create_task(client.aclose())

            async with asyncio.timeout(100):
                with pytest.raises(ClientClosedError):
                    async for _outcome in client.generate_many(prompts()):
                        pass
            await asyncio.sleep(2)  # the source ends after the client that it closed


class TestSameTurn:
    async def test_a_result_in_the_turn_of_the_time_out_is_handed_over_and_not_named(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whoever got the picture must not read in the log that nobody did."""
        async with emulated(service=Stuck(1e6)) as (client, _):
            task = await client.submit("a cat")
            generation = task._generation
            result = ImageResult(
                task_id=str(task.id),
                urls=("https://example.org/1.png",),
                created_at=None,
                completed_at=None,
                processing_time=None,
                request=None,
            )
            waiting = asyncio.create_task(task.result(timeout=5))
            del task
            await asyncio.sleep(0)
            # After the time-out's own timer, but in the same turn of the loop.
            asyncio.get_running_loop().call_at(now() + 5 + 1e-12, generation.succeed, result)
            assert await waiting is result
            del waiting
        assert "nobody awaits it" not in caplog.text
