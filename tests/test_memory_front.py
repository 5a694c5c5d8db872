"""The emulator without sockets: round trips, stalls, time-outs and resets of one's own choice."""

import asyncio
import json
from typing import Any, Unpack

import pytest
from hypothesis import given, settings, strategies as st

from nanobanana_async._wire import Call, NoAnswerError, Reply
from nanobanana_async.emulator import EmulatorCore, MemoryTransport, Settings, Stalls, run_virtual
from nanobanana_async.emulator._settings import SettingsKeywords

from .emulator.shapes import ANSWERED, COMMON, SILENT, is_after, looks_like

steady = settings(deadline=None, derandomize=True)

FIELDS = {"mode": "text-to-image", "prompt": "a cat", "aspect_ratio": "1:1", "resolution": "1K"}
SUBMIT = Call("POST", "generateTask/nano-banana-2", body=json.dumps({"input": FIELDS}).encode())
BALANCE = Call("GET", "apikeys/current-balance")


def core(**keywords: Unpack[SettingsKeywords]) -> EmulatorCore:
    return EmulatorCore(Settings(**keywords), epoch=1_700_000_000.0)


def about(seconds: float) -> Any:
    return pytest.approx(seconds, abs=1e-3)


async def exchange(transport: MemoryTransport, call: Call, timeout: float = 30.0) -> Reply:
    return await transport.send(call, timeout)


def accepted_at(emulator: EmulatorCore) -> list[float]:
    return list(emulator.ledger(1_000.0).accepted_at)


def data_of(reply: Reply) -> Any:
    assert reply.status == 200
    return json.loads(reply.body)["data"]


def ended_at(transport: MemoryTransport, call: Call, start: float = 0.0) -> float:
    """Send at `start` and tell when the answer was there."""

    async def main() -> float:
        await asyncio.sleep(start)
        await exchange(transport, call)
        return asyncio.get_running_loop().time()

    return run_virtual(main())


def test_a_request_reaches_the_core_and_its_answer_comes_back() -> None:
    async def main() -> None:
        transport = MemoryTransport(core())
        task_id = data_of(await exchange(transport, SUBMIT))["taskId"]
        look = Call("GET", "statusTask/nano-banana-2", query={"taskId": task_id})
        reply = await exchange(transport, look)
        assert data_of(reply)["state"] in ("pending", "processing")
        assert reply.headers["content-type"] == "application/json"
        await transport.aclose()

    run_virtual(main())


@pytest.mark.parametrize(("api_key", "status"), [("sk-emulator", 200), ("sk-wrong", 401)])
def test_it_sends_the_key_that_it_was_given(api_key: str, status: int) -> None:
    transport = MemoryTransport(core(), api_key=api_key)
    assert run_virtual(exchange(transport, BALANCE)).status == status


def test_the_key_is_not_shown() -> None:
    transport = MemoryTransport(core())
    run_virtual(exchange(transport, BALANCE))
    assert "Bearer" not in repr(transport)


def test_the_round_trip_is_half_there_and_half_back() -> None:
    emulator = core()
    assert ended_at(MemoryTransport(emulator, round_trip=0.5), SUBMIT, start=10.0) == about(10.5)
    assert accepted_at(emulator) == [about(10.25)]


def test_the_servers_latency_comes_on_top() -> None:
    transport = MemoryTransport(core(latency=2.0), round_trip=0.5)
    assert ended_at(transport, SUBMIT) == about(2.5)


def test_without_a_round_trip_others_get_their_turn_all_the_same() -> None:
    async def main() -> list[str]:
        order = []

        async def other() -> None:
            order.append("other")

        task = asyncio.create_task(other())
        await exchange(MemoryTransport(core()), BALANCE)
        order.append("answer")
        await task
        return order

    assert run_virtual(main()) == ["other", "answer"]


@pytest.mark.parametrize(
    ("start", "end"), [(1.0, 1.0), (59.0, 59.0), (60.5, 62.0), (61.9, 62.0), (62.5, 62.5)]
)
def test_a_stall_holds_up_what_would_arrive_in_it(start: float, end: float) -> None:
    emulator = core()
    assert ended_at(MemoryTransport(emulator, stalls=Stalls(60.0, 2.0)), SUBMIT, start) == about(
        end
    )
    assert accepted_at(emulator) == [about(end)]


def test_a_stall_delivers_everything_at_once() -> None:
    emulator = core()
    transport = MemoryTransport(emulator, stalls=Stalls(60.0, 2.0))

    async def send_at(time: float) -> None:
        await asyncio.sleep(time)
        await exchange(transport, SUBMIT)

    async def main() -> None:
        await asyncio.gather(*(send_at(60.0 + tenth / 10) for tenth in range(1, 20)))

    run_virtual(main())
    assert accepted_at(emulator) == [about(62.0)] * 19


def test_an_answer_is_held_up_after_its_request_was_worked_on() -> None:
    emulator = core()
    transport = MemoryTransport(emulator, round_trip=1.0, stalls=Stalls(60.0, 2.0))
    assert ended_at(transport, SUBMIT, start=59.25) == about(62.0)
    assert accepted_at(emulator) == [about(59.75)]


eighths = st.integers(0, 8 * 300).map(lambda count: count / 8)


@steady
@given(st.integers(1, 60), st.integers(0, 60), eighths, eighths)
def test_a_stall_delays_but_never_hastens_or_turns_the_order(
    period: int, length: int, one: float, other: float
) -> None:
    stalls = Stalls(float(period), float(min(length, period)))
    first, second = (stalls.delivered_at(time) for time in sorted((one, other)))
    assert first <= second
    assert 0 <= first - min(one, other) <= stalls.length
    assert stalls.delivered_at(first) in (first, first + stalls.length)


def test_an_answer_that_does_not_come_in_time_is_no_answer() -> None:
    emulator = core(latency=10.0)

    async def main() -> float:
        with pytest.raises(NoAnswerError, match="3 s"):
            await exchange(MemoryTransport(emulator), SUBMIT, timeout=3.0)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == about(3.0)
    assert emulator.ledger(10.0).accepted == 1


def test_a_request_that_does_not_arrive_in_time_never_does() -> None:
    emulator = core()

    async def main() -> None:
        with pytest.raises(NoAnswerError):
            await exchange(MemoryTransport(emulator, round_trip=10.0), SUBMIT, timeout=3.0)
        await asyncio.sleep(60.0)

    run_virtual(main())
    assert emulator.ledger(100.0).accepted == 0


def test_a_cancelled_request_is_cancelled_not_timed_out() -> None:
    async def main() -> None:
        task = asyncio.create_task(exchange(MemoryTransport(core(latency=10.0)), SUBMIT))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(main())


@pytest.mark.parametrize(("fault", "accepted"), [("submit_reset", 0), ("submit_lost", 1)])
def test_a_reset_is_no_answer_whether_accepted_or_not(fault: str, accepted: int) -> None:
    emulator = core(faults={fault: 1.0})

    async def main() -> None:
        with pytest.raises(NoAnswerError, match="reset"):
            await exchange(MemoryTransport(emulator), SUBMIT)

    run_virtual(main())
    assert emulator.ledger(1.0).accepted == accepted


CHECK_UNKNOWN = Call("GET", "statusTask/nano-banana-2", query={"taskId": "task_1"})


@pytest.mark.parametrize("kind", ["submit", "check"])
@pytest.mark.parametrize("act", COMMON)
def test_a_fault_looks_as_it_does_over_http(kind: str, act: str) -> None:
    emulator = core(faults={f"{kind}_{act}": 1.0})
    call = SUBMIT if kind == "submit" else CHECK_UNKNOWN

    async def main() -> float:
        if act in ANSWERED:
            reply = await exchange(MemoryTransport(emulator), call, 3.0)
            looks_like_answer(act, reply, call)
        else:
            why = "3 s" if act in SILENT else "reset"
            with pytest.raises(NoAnswerError, match=why):
                await exchange(MemoryTransport(emulator), call, 3.0)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == about(3.0 if act in SILENT else 0.0)
    ledger = emulator.ledger(3.0)
    assert ledger.accepted == ledger.accepted_unheard == int(kind == "submit" and is_after(act))
    assert ledger.faults == {f"{kind}_{act}": 1}


def looks_like_answer(act: str, reply: Reply, call: Call) -> None:
    if call is CHECK_UNKNOWN and act in {"truncated_after", "wrong_shape_after", "huge_after"}:
        # What is spoilt is the true answer, and that is "not found".
        assert reply.status == 404
    else:
        looks_like(act, reply.status, reply.headers, reply.body)


def test_a_slow_answer_leaves_later_and_may_come_too_late() -> None:
    faults = {"submit_slow": 1.0}
    assert ended_at(MemoryTransport(core(faults=faults, slow_seconds=4.0)), SUBMIT) == about(4.0)
    emulator = core(faults=faults)

    async def main() -> None:
        with pytest.raises(NoAnswerError):
            await exchange(MemoryTransport(emulator), SUBMIT, timeout=3.0)

    run_virtual(main())
    assert emulator.ledger(3.0).accepted == 1


def test_every_answer_has_the_servers_date_of_the_moment_when_it_leaves() -> None:
    emulator = core(clock_offset=3_600.0, latency=2.0)
    reply = run_virtual(exchange(MemoryTransport(emulator, round_trip=1.0), BALANCE))
    assert reply.headers["date"] == "Tue, 14 Nov 2023 23:13:22 GMT"


def test_a_reset_takes_the_way_back_like_an_answer() -> None:
    async def main() -> float:
        transport = MemoryTransport(core(faults={"submit_reset": 1.0}), round_trip=4.0)
        with pytest.raises(NoAnswerError):
            await exchange(transport, SUBMIT)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == about(4.0)


def test_refusals_come_back_as_answers() -> None:
    transport = MemoryTransport(core(faults={"submit_503_html": 1.0}))
    reply = run_virtual(exchange(transport, SUBMIT))
    assert reply.status == 503
    assert b"<html>" in reply.body
