"""What each request of a run was for, as it leaves: who asked when, and what the answer showed."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextvars import Context
from typing import Any, Literal, TypeAlias, TypeVarTuple, Unpack, cast

from attrs import define, field, frozen

from benchmarks.contenders import Contender
from benchmarks.runs import EPOCH, Run
from nanobanana_async._wire import Call, Reply, Transport
from nanobanana_async.emulator import EmulatorCore, Ledger, MemoryTransport, VirtualTimeLoop

__all__ = ["Kind", "Request", "Trace", "trace"]

Ts = TypeVarTuple("Ts")
Kind: TypeAlias = Literal["submit", "found", "nothing", "refused"]


@frozen
class Request:
    """One request, and what came of it."""

    at: float
    """Seconds from the start of the run."""
    kind: Kind
    """A submit, a look that found its task ended, one that found nothing; or answered 429."""
    task_id: str | None


@frozen
class Trace:
    """A run, request by request."""

    requests: list[Request]
    ledger: Ledger
    timers: int
    """That the event loop was asked to set, without the one that each request has for its time-out."""

    def count(self, kind: Kind) -> int:
        return sum(request.kind == kind for request in self.requests)


@define
class _Recorder:
    """A transport that notes what passes."""

    transport: Transport
    requests: list[Request] = field(factory=list)

    async def send(self, call: Call, timeout: float) -> Reply:  # noqa: ASYNC109 - the protocol's
        at = asyncio.get_running_loop().time()
        reply = await self.transport.send(call, timeout)
        self.requests.append(_request(at, call, json.loads(reply.body)))
        return reply

    async def aclose(self) -> None:
        await self.transport.aclose()


def _request(at: float, call: Call, answer: dict[str, Any]) -> Request:
    if answer["code"] != 200:
        return Request(at, "refused", (call.query or {}).get("taskId"))
    data = answer["data"]
    if call.method == "POST":
        return Request(at, "submit", data["taskId"])
    ended = data["state"] in ("success", "failed")
    return Request(at, "found" if ended else "nothing", data["taskId"])


class _CountingLoop(VirtualTimeLoop):
    """Counts the timers that are set."""

    timers = 0

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)


def trace(run: Run, contender: Contender) -> Trace:
    """Execute a run of any contender in virtual time; the same trace at every call."""
    random.seed(run.seed)
    with asyncio.Runner(loop_factory=_CountingLoop) as runner:
        recorder, core = runner.run(_work(run, contender))
        loop = cast("_CountingLoop", runner.get_loop())
        timers = loop.timers - len(recorder.requests)
        return Trace(recorder.requests, core.ledger(loop.time()), timers)


async def _work(run: Run, contender: Contender) -> tuple[_Recorder, EmulatorCore]:
    core = EmulatorCore(run.settings(), epoch=EPOCH)
    recorder = _Recorder(MemoryTransport(core, round_trip=run.round_trip))
    await contender.work(recorder, run.job)
    return recorder, core
