"""The client's promises to one caller, on virtual time over the emulator's in-memory front."""

import asyncio
import gc
import logging
from itertools import pairwise
from typing import Any

import pytest

from nanobanana_async import (
    APIConnectionError,
    AuthenticationError,
    ClientClosedError,
    ClientCrashedError,
    ImageRequest,
    InsufficientBalanceError,
    InvalidRequestError,
    Limits,
    MissingKeyError,
    NanoBananaClient,
    PermissionDeniedError,
    Polling,
    QueueTimeoutError,
    RateLimitError,
    ResultUnreadableError,
    ServerError,
    SubmitUnknownError,
    Task,
    TaskFailedError,
    TaskNotFoundError,
    TaskStuckError,
    TaskTimeoutError,
    WrongLoopError,
)
from nanobanana_async._wire import Call, NoAnswerError, NotSentError, Reply
from nanobanana_async.emulator import FailFast, LogNormal, Mixture, Stuck
from tests.emulated import Answer, emulated, envelope

pytestmark = pytest.mark.virtual_time

QUICK = Stuck(3.0)  # a service time that is always the same
ONE_SLOT = {"limits": Limits(concurrent_tasks=1)}


def now() -> float:
    return asyncio.get_running_loop().time()


async def soon() -> None:
    """Let everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)


class TestGenerating:
    async def test_a_prompt_becomes_a_result(self) -> None:
        async with emulated(service=QUICK) as (client, wire):
            result = await client.generate("a cat", aspect_ratio="3:2", resolution="2k", key="mine")
        assert wire.core.ledger(now()).accepted_by_prompt == {"a cat": 1}
        assert result.urls == (f"http://emulator.invalid/pictures/{result.task_id}/1.png",)
        assert result.request == ImageRequest(
            "a cat", aspect_ratio="3:2", resolution="2K", key="mine"
        )
        assert result.created_at is not None
        assert result.completed_at is not None
        assert (result.completed_at - result.created_at).total_seconds() == pytest.approx(
            3, abs=0.01
        )
        assert result.processing_time == pytest.approx(3, abs=1.01)

    async def test_fields_go_on_top_of_a_request(self) -> None:
        async with emulated(service=QUICK) as (client, _):
            result = await client.generate(ImageRequest("a cat", resolution="1K"), resolution="4K")
        assert result.request == ImageRequest("a cat", resolution="4K")

    async def test_an_invalid_request_sends_nothing(self) -> None:
        async with emulated() as (client, wire):
            with pytest.raises(InvalidRequestError) as caught:
                await client.generate("", aspect_ratio="5:1")
        assert [fault.field for fault in caught.value.faults] == ["prompt", "aspect_ratio"]
        assert wire.calls == []

    async def test_a_failed_task_raises_with_its_code(self) -> None:
        async with emulated(service=FailFast(1.0, "GENERATION_FAILED", "no luck")) as (client, _):
            with pytest.raises(TaskFailedError, match="GENERATION_FAILED: no luck") as caught:
                await client.generate("a cat")
        assert caught.value.task_id is not None
        assert caught.value.task_id.startswith("task_")
        assert (caught.value.group, caught.value.retryable) == ("processing", True)

    async def test_looks_are_a_second_apart_where_the_stalest_comes_first(self) -> None:
        options = {"polling": Polling(strategy="stalest")}
        async with emulated(service=QUICK, client=options) as (client, wire):
            await client.generate("a cat")
        looks = [time for time, call in wire.calls if call.method == "GET"]
        assert looks == pytest.approx([1, 2, 3], abs=0.01)


class TestHandles:
    async def test_submit_returns_once_the_task_is_accepted(self) -> None:
        async with emulated(service=QUICK, round_trip=0.2) as (client, _):
            task = await client.submit("a cat")
            assert now() == pytest.approx(0.2, abs=0.01)
            assert task.id is not None
            assert task.request == ImageRequest("a cat")
            result = await task
            assert result is await task.result()
            assert result.task_id == task.id

    async def test_status_is_answered_from_a_fresh_look_and_joins_one_under_way(self) -> None:
        async with emulated(service=Stuck(30.0), round_trip=0.1) as (client, wire):
            task = await client.submit("a cat")
            first, second = await asyncio.gather(task.status(), task.status())
            assert first is second
            assert (await task.status()) is first
            assert wire.sent("GET") == 1
            await asyncio.sleep(0.5)
            assert (await task.status()) is not first

    async def test_status_of_a_finished_task_costs_nothing(self) -> None:
        async with emulated(service=QUICK) as (client, wire):
            task = await client.submit("a cat")
            await task
            sent = len(wire.calls)
            await asyncio.sleep(5)
            assert (await task.status()).state == "success"
            assert len(wire.calls) == sent

    async def test_a_known_task_is_picked_up_again(self) -> None:
        async with emulated(service=QUICK) as (client, wire):
            task_id = (await client.submit("a cat")).id
            assert task_id is not None
            async with NanoBananaClient(transport=wire) as later:
                result = await later.task(task_id).result(timeout=60)
        assert result.task_id == task_id
        assert result.request is None

    async def test_the_same_id_gives_the_same_handle_while_in_flight(self) -> None:
        async with emulated(service=QUICK) as (client, _):
            task = await client.submit("a cat")
            assert task.id is not None
            assert client.task(task.id) is task
            adopted = client.task("task_elsewhere")
            assert client.task("task_elsewhere") is adopted

    async def test_an_adopted_task_counts_from_the_look_that_shows_it_unfinished(self) -> None:
        async with emulated(service=Stuck(30.0)) as (client, wire):
            task_id = (await client.submit("a cat")).id
            assert task_id is not None
            async with NanoBananaClient(transport=wire) as later:
                task = later.task(task_id)
                assert later.statistics().slots_left == 1_000
                await task.status()
                assert later.statistics().slots_left == 999
                await task
                assert later.statistics().slots_left == 1_000

    async def test_an_unknown_task_is_asked_for_during_half_a_minute(self) -> None:
        async with emulated() as (client, wire):
            with pytest.raises(TaskNotFoundError) as caught:
                await client.task("task_123")
        assert caught.value.task_id == "task_123"
        assert 30 <= now() < 65
        assert wire.sent("GET") >= 3


class TestTimeouts:
    async def test_over_before_it_is_sent_nothing_is_paid(self) -> None:
        async with emulated(service=Stuck(60.0), client=ONE_SLOT) as (client, wire):
            first = await client.submit("first")
            with pytest.raises(QueueTimeoutError) as caught:
                await client.generate("second", timeout=5)
            assert now() == pytest.approx(5, abs=0.01)
            assert isinstance(caught.value, TimeoutError)
            await first
        assert wire.core.ledger(now()).accepted == 1

    async def test_over_later_the_task_goes_on_and_can_be_awaited(self) -> None:
        async with emulated(service=Stuck(60.0)) as (client, wire):
            with pytest.raises(TaskTimeoutError) as caught:
                await client.generate("a cat", timeout=5)
            assert isinstance(caught.value, TimeoutError)
            assert caught.value.task is not None
            assert caught.value.task_id == caught.value.task.id
            result = await caught.value.task
        assert result.task_id == caught.value.task_id
        assert wire.core.ledger(now()).accepted == 1

    async def test_over_while_the_post_is_under_way_the_handle_gets_its_id_later(self) -> None:
        async with emulated(service=QUICK, round_trip=2.0) as (client, _):
            with pytest.raises(TaskTimeoutError) as caught:
                await client.submit("a cat", timeout=1)
            task = caught.value.task
            assert task is not None
            assert task.id is None
            assert (await task.status()).task_id == task.id
            assert (await task).task_id == task.id

    async def test_the_client_s_timeout_is_the_default_and_none_lifts_it(self) -> None:
        async with emulated(service=Stuck(20.0), client={"timeout": 5.0}) as (client, _):
            with pytest.raises(TaskTimeoutError):
                await client.generate("a cat")
            await client.generate("a cat", timeout=None)

    async def test_waiting_for_a_result_ends_alone(self) -> None:
        async with emulated(service=Stuck(20.0)) as (client, _):
            task = await client.submit("a cat")
            patient = asyncio.create_task(task.result())
            with pytest.raises(TaskTimeoutError):
                await task.result(timeout=1)
            assert (await patient).task_id == task.id

    async def test_a_stuck_task_gives_its_slot_back_and_is_looked_at_once_a_minute(self) -> None:
        client_options = {"stuck_after": 100.0, **ONE_SLOT}
        async with emulated(service=Stuck(1_000.0), client=client_options) as (client, wire):
            with pytest.raises(TaskStuckError) as caught:
                await client.generate("a cat")
            assert client.statistics().slots_left == 1
            looks = wire.sent("GET")
            task = client.task(str(caught.value.task_id))
            assert (await task).task_id == caught.value.task_id
            assert wire.sent("GET") - looks == pytest.approx(15, abs=2)

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5", True])
    async def test_one_that_makes_no_sense_buys_nothing(self, timeout: Any) -> None:
        async with emulated(service=QUICK) as (client, wire):
            for call in (client.generate, client.submit):
                with pytest.raises(ValueError, match="timeout must be seconds above 0"):
                    await call("a cat", timeout=timeout)
            with pytest.raises(ValueError, match="timeout"):
                client.generate_many(["a cat"], timeout=timeout)
            await asyncio.sleep(60)
        assert wire.calls == []

    async def test_who_awaits_the_handle_is_not_taken_for_gone(self) -> None:
        """The time is over during the POST, which is refused while the handle is awaited."""
        async with emulated(service=QUICK, round_trip=2.0) as (client, wire):
            answers = iter([envelope(503)])
            wire.answers = lambda _: next(answers, None)
            with pytest.raises(TaskTimeoutError) as caught:
                await client.generate("a cat", timeout=1)
            assert caught.value.task is not None
            assert (await caught.value.task).urls
        assert wire.core.ledger(now()).accepted == 1

    async def test_status_of_a_handle_whose_post_was_lost_tells_that(self) -> None:
        async with emulated(round_trip=2.0) as (client, wire):
            wire.answers = lambda _: NoAnswerError("reset")
            with pytest.raises(TaskTimeoutError) as caught:
                await client.generate("a cat", timeout=1)
            task = caught.value.task
            assert task is not None
            await asyncio.sleep(5)
            for ask in (task.status, task.result):
                with pytest.raises(SubmitUnknownError):
                    await ask()


class TestCancellation:
    async def test_in_the_queue_it_is_withdrawn(self) -> None:
        async with emulated(service=Stuck(10.0), client=ONE_SLOT) as (client, wire):
            first = await client.submit("first")
            second = asyncio.create_task(client.generate("second"))
            await soon()
            assert client.statistics().queued == 1
            second.cancel()
            await asyncio.wait([second])
            assert client.statistics().queued == 0
            await first
        assert wire.core.ledger(now()).accepted_by_prompt == {"first": 1}

    async def test_during_the_post_the_task_is_tracked_and_its_picture_named(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with emulated(service=QUICK, round_trip=1.0) as (client, wire):
            caller = asyncio.create_task(client.generate("a cat"))
            await soon()
            caller.cancel()
            await asyncio.wait([caller])
            while client.statistics().succeeded == 0:
                await asyncio.sleep(1)
        assert wire.core.ledger(now()).finished_seen == 1
        [record] = [record for record in caplog.records if hasattr(record, "urls")]
        assert f"{record.task_id}/1.png" in record.getMessage()  # type: ignore[attr-defined]

    async def test_a_post_that_is_refused_is_not_sent_again_for_nobody(self) -> None:
        async with emulated(service=QUICK, round_trip=1.0) as (client, wire):
            wire.answers = lambda _: envelope(429)
            caller = asyncio.create_task(client.generate("a cat"))
            await soon()
            caller.cancel()
            await asyncio.wait([caller])
            wire.answers = lambda _: None
            await asyncio.sleep(60)
            assert client.statistics().queued == 0
        assert wire.core.ledger(now()).accepted == 0

    async def test_one_waiter_less_disturbs_no_other(self) -> None:
        async with emulated(service=QUICK) as (client, _):
            task = await client.submit("a cat")
            leaver, stayer = (asyncio.create_task(task.result()) for _ in range(2))
            await soon()
            leaver.cancel()
            assert (await stayer).task_id == task.id
            assert leaver.cancelled()


class TestAnswersToASubmit:
    @pytest.mark.parametrize(
        "answer",
        [
            NoAnswerError("reset"),
            Reply(500, {}, b""),
            Reply(502, {}, b"<html>"),
            Reply(503, {}, b"<html>"),
            Reply(408, {}, b""),
            Reply(307, {"location": "/elsewhere"}, b""),
            Reply(200, {}, b"{"),
            envelope(200, data={}),
            envelope(400, status=500),
        ],
        ids=str,
    )
    async def test_what_may_have_been_accepted_is_unknown_and_never_sent_again(
        self, answer: Reply | Exception
    ) -> None:
        async with emulated(client={"unknown_hold": 50.0}) as (client, wire):
            wire.answers = lambda _: answer
            with pytest.raises(SubmitUnknownError) as caught:
                await client.generate("a cat")
            assert "may be running and paid for" in str(caught.value)
            assert caught.value.request == ImageRequest("a cat")
            figures = client.statistics()
            assert (figures.unknown, figures.slots_unknown, figures.slots_left) == (1, 1, 999)
            await asyncio.sleep(51)
            figures = client.statistics()
            assert (figures.slots_unknown, figures.slots_left) == (0, 1_000)
        assert wire.sent("POST") == 1

    async def test_unknown_is_sent_again_where_paying_twice_is_acceptable(self) -> None:
        async with emulated(service=QUICK) as (client, wire):
            lost = iter([NoAnswerError("reset"), None])
            wire.answers = lambda call: next(lost) if call.method == "POST" else None
            await client.generate("a cat", resubmit_unknown=True)
            assert client.statistics().slots_unknown == 1
        assert wire.sent("POST") == 2

    async def test_busy_goes_back_to_the_front_until_the_time_is_over(self) -> None:
        async with emulated() as (client, wire):
            wire.answers = lambda _: envelope(503)
            with pytest.raises(QueueTimeoutError):
                await client.generate("a cat", timeout=60)
        gaps = [b[0] - a[0] for a, b in pairwise(wire.calls)]
        assert gaps[:5] == [pytest.approx(wait, rel=0.11) for wait in (1, 2, 4, 8, 16)]

    async def test_a_refused_submit_is_sent_later(self) -> None:
        async with emulated(service=QUICK, faults={"submit_429": 0.5}, seed=3) as (client, wire):
            await asyncio.gather(*(client.generate(f"cat {n}") for n in range(20)))
            assert client.statistics().refusals > 5
        assert not wire.core.ledger(now()).accepted_twice

    async def test_the_concurrency_of_another_process_does_not_stop_looks(self) -> None:
        """Half of the places belong to somebody else: submits wait, running tasks are seen."""
        async with emulated(service=QUICK, concurrent_tasks=5) as (client, wire):
            await asyncio.gather(*(client.generate(f"cat {n}") for n in range(30)))
        ledger = wire.core.ledger(now())
        assert ledger.accepted == 30
        assert ledger.most_tasks == 5
        assert not ledger.accepted_twice

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (envelope(400, data={"error": "seed: unknown"}), InvalidRequestError),
            (envelope(400, status=200), InvalidRequestError),
            (envelope(403), PermissionDeniedError),
        ],
    )
    async def test_a_refusal_for_good_fails_that_call_alone(
        self, answer: Reply, error: type[Exception]
    ) -> None:
        async with emulated(service=QUICK, client=ONE_SLOT) as (client, wire):
            replies = iter([answer])
            wire.answers = lambda _: next(replies, None)
            with pytest.raises(error):
                await client.generate("first")
            await client.generate("second")
        assert wire.sent("POST") == 2

    async def test_two_submits_with_one_id_are_one_task_and_one_unknown(self) -> None:
        same = envelope(200, data={"taskId": "task_same"})
        async with emulated(client={"stuck_after": 50.0}) as (client, wire):
            wire.answers = lambda call: same if call.method == "POST" else None
            first = await client.submit("first")
            with pytest.raises(SubmitUnknownError, match="the task of another submit"):
                await client.submit("second")
            assert first.id == "task_same"
            assert client.statistics().in_flight == 1


class TestTheKey:
    async def test_a_wrong_key_stops_everything_and_is_asked_about_once(self) -> None:
        async with emulated(api_key="another") as (client, wire):
            errors = await asyncio.gather(
                *(client.generate(f"cat {n}") for n in range(500)), return_exceptions=True
            )
            assert all(isinstance(error, AuthenticationError) for error in errors)
            sent = len(wire.calls)
            with pytest.raises(AuthenticationError):
                await client.generate("one more")
            assert len(wire.calls) == sent < 20

    async def test_a_glitch_fails_nobody(self) -> None:
        async with emulated(service=QUICK, client=ONE_SLOT) as (client, wire):
            answers = iter([envelope(401)])
            wire.answers = lambda _: next(answers, None)
            await asyncio.gather(client.generate("first"), client.generate("second"))
        assert wire.core.ledger(now()).accepted_by_prompt == {"first": 1, "second": 1}

    async def test_where_the_balance_tells_nothing_a_second_refusal_is_believed(self) -> None:
        async with emulated() as (client, wire):
            no_endpoint = Reply(404, {}, b"")
            wire.answers = lambda call: envelope(401) if call.method == "POST" else no_endpoint
            with pytest.raises(AuthenticationError):
                await client.generate("a cat")
        assert wire.sent("POST") == 2

    async def test_waiters_of_running_tasks_get_their_task_s_id(self) -> None:
        async with emulated(service=Stuck(60.0)) as (client, wire):
            task = await client.submit("a cat")
            wire.answers = lambda _: envelope(401)
            with pytest.raises(AuthenticationError) as caught:
                await task
            assert caught.value.task_id == task.id

    async def test_submits_under_way_when_it_stops_are_told_too(self) -> None:
        """The key is found wrong while one POST is about to be accepted and one to be refused."""
        async with emulated(service=Stuck(60.0)) as (client, wire):
            task = await client.submit("running")
            loop = asyncio.get_running_loop()
            held: dict[bytes, asyncio.Future[Reply]] = {
                word: loop.create_future() for word in (b"accepted", b"busy")
            }

            def answers(call: Call) -> Answer:
                late = [future for word, future in held.items() if word in (call.body or b"")]
                return late[0] if late else envelope(401)

            wire.answers = answers
            waiting = [asyncio.create_task(client.generate(word.decode())) for word in held]
            with pytest.raises(AuthenticationError):
                await task
            held[b"accepted"].set_result(envelope(200, data={"taskId": "task_late"}))
            held[b"busy"].set_result(envelope(503))
            accepted, busy = await asyncio.gather(*waiting, return_exceptions=True)
            assert isinstance(accepted, AuthenticationError)
            assert accepted.task_id == "task_late"
            assert isinstance(busy, AuthenticationError)


class TestTheBalance:
    async def test_it_is_handed_on_as_it_comes(self) -> None:
        async with emulated(balance=2.0) as (client, _):
            assert await client.balance() == {"balance": 2.0}

    async def test_running_out_fails_the_queue_and_what_runs_is_finished(self) -> None:
        client_options = {"limits": Limits(concurrent_tasks=10)}
        async with emulated(service=QUICK, balance=1.0, price=0.1, client=client_options) as (
            client,
            wire,
        ):
            calls = [client.generate(f"cat {n}") for n in range(50)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            paid = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
            broke = [out for out in outcomes if isinstance(out, InsufficientBalanceError)]
            assert (len(paid), len(broke)) == (10, 40)
            posts = wire.sent("POST")
            with pytest.raises(InsufficientBalanceError):
                await client.generate("one more")
            assert wire.sent("POST") == posts + 1

    async def test_a_probe_that_is_accepted_lifts_it(self) -> None:
        async with emulated(service=QUICK) as (client, wire):
            wire.answers = lambda _: envelope(402)
            with pytest.raises(InsufficientBalanceError):
                await client.generate("too poor")
            wire.answers = lambda _: None
            await asyncio.gather(*(client.generate(f"cat {n}") for n in range(20)))
            assert wire.sent("POST") == 21

    async def test_a_task_that_fails_for_the_account_stops_the_queue_too(self) -> None:
        service = Mixture((1.0,), (FailFast(1.0, "INSUFFICIENT_CREDITS", "empty"),))
        async with emulated(service=service, client=ONE_SLOT) as (client, wire):
            first, second = await asyncio.gather(
                client.generate("first"), client.generate("second"), return_exceptions=True
            )
            assert isinstance(first, TaskFailedError)
            assert isinstance(second, InsufficientBalanceError)
            assert wire.sent("POST") == 1

    async def test_an_old_task_that_failed_for_the_account_is_no_news(self) -> None:
        service = FailFast(1.0, "INSUFFICIENT_CREDITS", "empty")
        async with emulated(service=service, client=ONE_SLOT) as (client, wire):
            old = await client.submit("long ago")
            with pytest.raises(TaskFailedError):
                await old
            async with NanoBananaClient(transport=wire, limits=Limits(concurrent_tasks=1)) as later:
                blocked = await later.submit("first")
                queued = asyncio.create_task(later.generate("second"))
                await soon()
                assert (await later.task(str(old.id)).status()).state == "failed"
                assert not queued.done()
                queued.cancel()
                assert blocked.id

    async def test_between_two_tries_it_is_told_of_closing(self) -> None:
        async with emulated() as (client, wire):
            wire.answers = lambda _: Reply(500, {}, b"")
            asking = asyncio.create_task(client.balance())
            await asyncio.sleep(0.5)
            await client.aclose()
            with pytest.raises(ClientClosedError):
                await asking

    @pytest.mark.parametrize(
        ("answer", "error"), [(envelope(429), RateLimitError), (envelope(503), ServerError)]
    )
    async def test_no_useful_answer_for_half_a_minute_is_an_error(
        self, answer: Reply, error: type[Exception]
    ) -> None:
        async with emulated() as (client, wire):
            wire.answers = lambda _: answer
            with pytest.raises(error):
                await client.balance()
            assert 30 <= now() < 50


class TestLooks:
    @pytest.mark.parametrize(
        "answer",
        [NoAnswerError("reset"), Reply(500, {}, b""), Reply(404, {}, b"no"), envelope(503)],
        ids=str,
    )
    async def test_a_look_that_fails_never_fails_the_task(self, answer: Reply | Exception) -> None:
        async with emulated(service=Stuck(20.0)) as (client, wire):
            bad = iter([answer] * 4)
            wire.answers = lambda call: next(bad, None) if call.method == "GET" else None
            await client.generate("a cat")

    async def test_an_undocumented_state_is_not_finished_and_warned_of_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with emulated(service=QUICK) as (client, wire):
            task = await client.submit("a cat")
            odd = envelope(200, data={"taskId": task.id, "state": "queued"})
            states = iter([odd] * 3)
            wire.answers = lambda _: next(states, None)
            await task
        warnings = [record for record in caplog.records if "not documented" in record.getMessage()]
        assert len(warnings) == 1

    async def test_success_without_urls_is_asked_for_during_a_minute(self) -> None:
        async with emulated(service=QUICK) as (client, wire):
            task = await client.submit("a cat")
            data = {"taskId": task.id, "state": "success", "resultJson": "{"}
            wire.answers = lambda _: envelope(200, data=data)
            with pytest.raises(ResultUnreadableError) as caught:
                await task
            assert caught.value.raw == data
            assert 60 <= now() < 66  # a last look comes when patience ends

    async def test_a_task_that_vanishes_is_asked_for_during_ten_minutes(self) -> None:
        async with emulated(service=Stuck(60.0)) as (client, wire):
            task = await client.submit("a cat")
            await task.status()
            wire.answers = lambda _: envelope(404)
            with pytest.raises(TaskNotFoundError):
                await task
            assert 600 <= now() < 606

    async def test_status_gives_up_on_a_server_in_trouble_and_the_task_goes_on(self) -> None:
        async with emulated(service=Stuck(60.0)) as (client, wire):
            task = await client.submit("a cat")
            wire.answers = lambda _: Reply(500, {}, b"")
            with pytest.raises(ServerError):
                await task.status()
            wire.answers = lambda _: None
            await task

    async def test_many_status_calls_keep_nobody_from_their_turn(self) -> None:
        """A page with 600 progress bars, each asked for once a second: three times the budget."""
        async with emulated(service=Stuck(300.0)) as (client, _):
            tasks = await asyncio.gather(*(client.submit(f"cat {n}") for n in range(600)))

            async def watch(task: Task) -> None:
                while True:
                    await task.status()
                    await asyncio.sleep(1)

            watchers = [asyncio.create_task(watch(task)) for task in tasks]
            await asyncio.sleep(10)
            began = now()
            await asyncio.gather(*(client.submit(f"dog {n}") for n in range(20)))
            assert now() - began < 2
            for watcher in watchers:
                watcher.cancel()
            await asyncio.wait(watchers)

    async def test_a_refusal_does_not_wait_for_the_next_look_at_a_stuck_task(self) -> None:
        options = {"stuck_after": 10.0}
        async with emulated(service=Stuck(10_000.0), client=options) as (client, wire):
            task = await client.submit("stuck")
            with pytest.raises(TaskStuckError):
                await task
            answers = iter([envelope(429)])
            wire.answers = lambda call: next(answers, None) if call.method == "POST" else None
            began = now()
            await client.submit("next")
            assert now() - began < 3


class TestNoConnection:
    @staticmethod
    def away(call: Call) -> Answer:
        return NotSentError(f"{call.path} is unreachable")

    async def test_calls_wait_for_the_network_one_probe_at_a_time(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with emulated(service=QUICK) as (client, wire):
            wire.answers = self.away
            calls = [asyncio.create_task(client.generate(f"cat {n}")) for n in range(100)]
            await asyncio.sleep(25)
            assert wire.sent("POST") <= 8 + 5  # a bucket's burst before the first is known lost
            wire.answers = lambda _: None
            await asyncio.gather(*calls)
        assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
        assert "is unreachable" in caplog.records[0].getMessage()
        assert wire.core.ledger(now()).accepted == 100

    async def test_patience_counts_from_the_loss_or_the_call_whichever_is_later(self) -> None:
        async with emulated(client={"connect_patience": 20.0}) as (client, wire):
            wire.answers = self.away
            early = asyncio.create_task(client.generate("early"))
            await asyncio.sleep(10)
            late = asyncio.create_task(client.generate("late"))
            balance = asyncio.create_task(client.balance())
            with pytest.raises(APIConnectionError, match="is unreachable"):
                await early
            assert now() == pytest.approx(20, abs=0.1)
            with pytest.raises(APIConnectionError):
                await late
            assert now() == pytest.approx(30, abs=1.1)
            with pytest.raises(APIConnectionError):
                await balance
            assert now() == pytest.approx(30, abs=1.1)

    async def test_no_patience_limit_waits_for_ever(self) -> None:
        client_options = {"connect_patience": None}
        async with emulated(service=QUICK, client=client_options) as (client, wire):
            wire.answers = self.away
            call = asyncio.create_task(client.generate("a cat"))
            await asyncio.sleep(100_000)
            wire.answers = lambda _: None
            await call

    async def test_running_tasks_outlast_the_network(self) -> None:
        async with emulated(service=QUICK) as (client, wire):
            task = await client.submit("a cat")
            wire.answers = self.away
            asyncio.get_running_loop().call_later(3_000, setattr, wire, "answers", lambda _: None)
            assert (await task).task_id == task.id


class TestClosing:
    async def test_everybody_who_waits_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        async with emulated(service=Stuck(60.0), client=ONE_SLOT) as (client, _):
            task = await client.submit("running")
            running = asyncio.create_task(task.result())
            queued = asyncio.create_task(client.generate("queued"))
            await soon()
            await client.aclose()
            with pytest.raises(ClientClosedError) as caught:
                await running
            assert caught.value.task_id == task.id
            with pytest.raises(ClientClosedError):
                await queued
            with pytest.raises(ClientClosedError):
                await client.generate("later")
        [record] = caplog.records
        assert record.task_ids == [task.id]  # type: ignore[attr-defined]

    async def test_a_submit_under_way_is_awaited(self, caplog: pytest.LogCaptureFixture) -> None:
        async with emulated(service=Stuck(60.0), round_trip=5.0) as (client, wire):
            caller = asyncio.create_task(client.generate("a cat"))
            await soon()
            await client.aclose()
            assert now() == pytest.approx(5, abs=0.1)
            with pytest.raises(ClientClosedError) as caught:
                await caller
        assert caught.value.task_id is not None
        assert caught.value.task_id in caplog.text
        assert wire.core.ledger(now()).accepted == 1

    async def test_a_balance_query_and_a_look_under_way_are_told_too(self) -> None:
        async with emulated(service=Stuck(60.0), round_trip=5.0) as (client, wire):
            task = await client.submit("a cat")
            asking = [asyncio.create_task(client.balance()), asyncio.create_task(task.status())]
            while len(wire.calls) < 3:
                await soon()
            await client.aclose()
            for call in asking:
                with pytest.raises(ClientClosedError):
                    await call

    async def test_a_key_that_is_being_checked_is_no_matter_any_more(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with emulated(api_key="another", round_trip=5.0) as (client, wire):
            call = asyncio.create_task(client.generate("a cat"))
            while wire.sent("GET") < 1:
                await asyncio.sleep(0.1)
            await client.aclose()
            with pytest.raises(ClientClosedError):
                await call
        assert caplog.records == []

    async def test_a_cancelled_close_leaves_nothing_behind_either(self) -> None:
        async with emulated(round_trip=60.0, client={"request_timeout": 50.0}) as (client, _):
            caller = asyncio.create_task(client.generate("a cat"))
            await soon()
            closing = asyncio.create_task(client.aclose())
            await soon()
            closing.cancel()
            await asyncio.wait([closing])
            assert closing.cancelled()
            assert now() == pytest.approx(5, abs=0.1)
            with pytest.raises(SubmitUnknownError):
                await caller

    async def test_closing_twice_does_no_harm_and_a_finished_task_still_tells(self) -> None:
        async with emulated(service=QUICK) as (client, _):
            task = await client.submit("a cat")
            result = await task
            await client.aclose()
            await client.aclose()
            assert await task is result
            assert (await task.status()).urls == result.urls
            assert client.statistics().succeeded == 1

    async def test_entry_and_exit_may_come_from_different_tasks(self) -> None:
        client = NanoBananaClient("key", base_url="http://127.0.0.1:9")
        await asyncio.create_task(client.__aenter__())
        await asyncio.create_task(client.aclose())

    async def test_a_crash_inside_fails_every_waiter_and_not_the_caller_s_body(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """One task runs, a POST is under way, one waits in line, one asks: all are told."""
        limits = {"limits": Limits(concurrent_tasks=2)}
        async with emulated(service=Stuck(60.0), round_trip=1.0, client=limits) as (client, wire):
            task = await client.submit("running")
            running = asyncio.create_task(task.result())
            posted = asyncio.create_task(client.generate("under way"))
            await asyncio.sleep(0.5)
            queued = asyncio.create_task(client.generate("queued"))
            wire.answers = lambda _: ZeroDivisionError()
            asking = asyncio.create_task(client.balance())
            ends = await asyncio.gather(running, posted, queued, asking, return_exceptions=True)
            assert all(isinstance(end, ClientCrashedError | SubmitUnknownError) for end in ends)
            assert isinstance(ends[0], ClientCrashedError)
            assert isinstance(ends[0].__cause__, ExceptionGroup)
            assert ends[0].task_id == task.id
            with pytest.raises(ClientCrashedError):
                await client.generate("a cat")
        assert "crashed" in caplog.text

    async def test_nothing_is_said_where_nothing_runs(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with emulated(service=QUICK) as (client, _):
            await client.generate("a cat")
        gc.collect()
        assert caplog.records == []


class TestUse:
    def test_without_a_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("APIXO_API_KEY", raising=False)
        with pytest.raises(MissingKeyError, match="APIXO_API_KEY"):
            NanoBananaClient()

    def test_key_and_address_come_from_the_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("APIXO_API_KEY", "sk-marked")
        monkeypatch.setenv("APIXO_BASE_URL", "https://proxy.example/api/v1/")
        client = NanoBananaClient()
        assert "proxy.example" in repr(client)
        assert "sk-marked" not in repr(client)

    @pytest.mark.parametrize("key", ["sk\n", "sk 1", "sk-ü"])
    def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(self, key: str) -> None:
        with pytest.raises(MissingKeyError) as caught:
            NanoBananaClient(key)
        assert "sk" not in str(caught.value)

    @pytest.mark.parametrize("url", ["api.apixo.ai", "ftp://x", "https://", "https://x/?a=1"])
    def test_a_base_url_that_is_none(self, url: str) -> None:
        with pytest.raises(ValueError, match="base_url"):
            NanoBananaClient("key", base_url=url)

    @pytest.mark.parametrize("option", ["timeout", "request_timeout", "stuck_after"])
    def test_seconds_have_to_be_above_zero(self, option: str) -> None:
        with pytest.raises(ValueError, match=f"{option} must be seconds above 0"):
            NanoBananaClient("key", **{option: 0})  # type: ignore[arg-type]

    def test_outside_any_loop(self) -> None:
        with pytest.raises(WrongLoopError):
            NanoBananaClient("key").statistics()

    async def test_statistics_show_a_busy_client(self) -> None:
        client_options = {"limits": Limits(concurrent_tasks=10)}
        async with emulated(service=Stuck(5.0), client=client_options) as (client, _):
            calls = asyncio.gather(*(client.generate(f"cat {n}") for n in range(25)))
            await asyncio.sleep(3)
            figures = client.statistics()
            assert (figures.queued, figures.in_flight, figures.slots_left) == (15, 10, 0)
            assert figures.tokens_left == 10_000 - figures.submits - figures.checks
            await calls
            figures = client.statistics()
            assert (figures.accepted, figures.succeeded, figures.in_flight) == (25, 25, 0)
            assert figures.checks_per_task == figures.checks / 25
            assert 0 <= figures.mean_lag <= 1
            assert figures.completions_per_second == pytest.approx(25 / now())

    async def test_logs_carry_no_prompt(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "nanobanana_async")
        async with emulated(faults={"submit_lost": 1.0}) as (client, _):
            with pytest.raises(SubmitUnknownError):
                await client.generate("private matter")
        assert "private" not in caplog.text

    async def test_service_times_of_all_sizes_end(self) -> None:
        async with emulated(service=LogNormal(15, 1.0)) as (client, _):
            results = await asyncio.gather(*(client.generate(f"cat {n}") for n in range(200)))
        assert len({result.task_id for result in results}) == 200
