"""`task.events()`: every state, to any number of listeners, each at its own pace."""

import asyncio
from collections.abc import Callable

import pytest

from nanobanana_async import (
    ClientClosedError,
    ResultUnreadableError,
    Task,
    TaskFailedError,
    TaskNotFoundError,
    TaskStuckError,
    TaskTimeoutError,
)
from nanobanana_async._wire import Call
from nanobanana_async.emulator import FailFast, Stuck
from tests.emulated import Answer, emulated, envelope

pytestmark = pytest.mark.virtual_time


async def states(task: Task, pause: float = 0.0) -> list[str]:
    """Listen to the end; `pause` is what a slow listener takes over each state."""
    seen = []
    async for status in task.events():
        seen.append(status.state)
        await asyncio.sleep(pause)
    return seen


def in_turn(*told: str, each: float) -> Callable[[Call], Answer]:
    """Answer looks with these states, each for so many seconds, the last one for ever."""

    def answer(call: Call) -> Answer:
        if call.method == "POST":
            return None
        step = min(int(asyncio.get_running_loop().time() / each), len(told) - 1)
        data = {"taskId": (call.query or {})["taskId"], "state": told[step]}
        if told[step] == "success":
            data["resultJson"] = '{"resultUrls": ["https://example.org/1.png"]}'
        return envelope(200, data=data)

    return answer


LIFE = ("pending", "processing", "upscaling", "success")


async def test_every_state_once_and_then_the_end() -> None:
    async with emulated(service=Stuck(1e6)) as (client, wire):
        wire.answers = in_turn(*LIFE, each=5.0)
        task = await client.submit("a cat")
        assert await states(task) == list(LIFE)
        assert (await task).urls == ("https://example.org/1.png",)


async def test_listeners_are_many_and_a_slow_one_misses_nothing_and_holds_nobody_up() -> None:
    async with emulated(service=Stuck(1e6)) as (client, wire):
        wire.answers = in_turn(*LIFE, each=5.0)
        task = await client.submit("a cat")
        loop = asyncio.get_running_loop()
        slow = asyncio.create_task(states(task, pause=100.0))
        quick = [asyncio.create_task(states(task)) for _ in range(100)]
        assert await asyncio.gather(*quick) == [list(LIFE)] * 100
        assert loop.time() < 20
        assert await slow == list(LIFE)
        assert loop.time() >= 400


async def test_who_begins_late_is_told_where_the_task_stands_and_what_follows() -> None:
    async with emulated(service=Stuck(1e6)) as (client, wire):
        wire.answers = in_turn(*LIFE, each=5.0)
        task = await client.submit("a cat")
        await asyncio.sleep(8)
        assert await states(task) == list(LIFE[1:])
        assert await states(task) == ["success"]


async def test_listening_takes_no_requests_of_its_own() -> None:
    async with emulated(service=Stuck(30.0)) as (client, wire):
        task = await client.submit("a cat")
        await task
        alone = wire.sent("GET")
        task = await client.submit("another cat")
        await asyncio.gather(*(states(task) for _ in range(20)))
        assert wire.sent("GET") == 2 * alone


async def test_a_failure_is_a_state_too() -> None:
    async with emulated(service=FailFast(5.0, "NSFW_DETECTED", "no")) as (client, _):
        task = await client.submit("a cat")
        last = [status async for status in task.events()][-1]
        assert (last.state, last.fail_code) == ("failed", "NSFW_DETECTED")
        with pytest.raises(TaskFailedError):
            await task
        assert await states(task) == ["failed"]


async def test_ends_that_are_no_states_are_raised() -> None:
    async with emulated(service=Stuck(1e6), client={"stuck_after": 60.0}) as (client, wire):
        stuck = await client.submit("stuck")
        with pytest.raises(TaskStuckError):
            await states(stuck)
        with pytest.raises(TaskNotFoundError):
            await states(client.task("task_of_nobody"))
        wire.answers = in_turn("success", each=1.0)
        assert await states(stuck) == ["processing", "success"]


async def test_a_success_without_urls_is_not_told_as_the_end() -> None:
    """They may come yet, and who listens from then on must not be told of an end without them."""
    async with emulated(service=Stuck(1e6)) as (client, wire):
        task = await client.submit("a cat")
        empty = {"taskId": task.id, "state": "success", "resultJson": "{}"}
        wire.answers = lambda _: envelope(200, data=empty)
        await asyncio.sleep(10)
        listening = asyncio.create_task(states(task))
        await asyncio.sleep(5)
        assert not listening.done()
        wire.answers = in_turn("success", each=1.0)
        assert await listening == ["success"]
        assert (await task).urls


async def test_a_result_that_stays_unreadable_is_an_error_for_listeners_early_and_late() -> None:
    async with emulated(service=Stuck(1e6)) as (client, wire):
        task = await client.submit("a cat")
        empty = {"taskId": task.id, "state": "success"}
        wire.answers = lambda _: envelope(200, data=empty)
        for _ in range(2):
            with pytest.raises(ResultUnreadableError):
                await states(task)
        with pytest.raises(ResultUnreadableError):
            await task.status()


async def test_urls_that_come_after_a_status_without_them_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with emulated(service=Stuck(1e6)) as (client, wire):
        task = await client.submit("a cat")
        task_id = str(task.id)
        wire.answers = lambda _: envelope(200, data={"taskId": task_id, "state": "success"})
        assert (await task.status()).urls == ()
        wire.answers = in_turn("success", each=1.0)
        del task
        await asyncio.sleep(60)
        assert task_id in caplog.text
        assert "https://example.org/1.png" in caplog.text


async def test_a_listener_counts_as_somebody_who_waits() -> None:
    """A submit that is refused for now is sent again for a listener alone."""
    async with emulated(service=Stuck(5.0), round_trip=2.0) as (client, wire):
        refusals = iter([envelope(429)])
        wire.answers = lambda call: next(refusals, None) if call.method == "POST" else None
        with pytest.raises(TaskTimeoutError) as caught:
            await client.generate("a cat", timeout=1)
        task = caught.value.task
        assert isinstance(task, Task)
        assert (await states(task))[-1] == "success"


async def test_closing_the_client_ends_the_listening() -> None:
    async with emulated(service=Stuck(1e6)) as (client, _):
        task = await client.submit("a cat")
        listening = asyncio.create_task(states(task))
        await asyncio.sleep(5)
    with pytest.raises(ClientClosedError) as caught:
        await listening
    assert caught.value.task_id == task.id


async def test_a_listener_who_leaves_disturbs_nobody() -> None:
    async with emulated(service=Stuck(20.0)) as (client, _):
        task = await client.submit("a cat")
        cancelled = asyncio.create_task(states(task))
        other = asyncio.create_task(states(task))
        await asyncio.sleep(5)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        async for _status in task.events():
            break
        assert (await other)[-1] == "success"


async def test_an_adopted_task_is_looked_at_for_its_listeners() -> None:
    async with emulated(service=Stuck(20.0)) as (client, _):
        task = await client.submit("a cat")
        other_way = client.task(str(task.id))
        assert other_way is task
        assert (await states(other_way))[-1] == "success"
        picked_up = client.task(str(task.id))
        del task, other_way
        assert await states(picked_up) == ["success"]
