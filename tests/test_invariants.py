"""Any sequence of calls, answers, faults, cancellations and waits, against a small model.

The model knows what a perfect observer of server and callers knows, and nothing of the library's
insides. After each step it is compared with what callers were told, what the client counts and
what it logged. `NANOBANANA_SOAK=10000` in the environment tries that many examples, new ones.
"""

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from math import inf
from typing import Any, Final

import pytest
from attrs import define, field, frozen
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from nanobanana_async import (
    APIConnectionError,
    APIStatusError,
    ClientClosedError,
    ClientCrashedError,
    GenerateMany,
    ImageRequest,
    ImageResult,
    InvalidRequestError,
    Limits,
    NanoBananaClient,
    NanoBananaError,
    NotSubmittedError,
    QueueTimeoutError,
    ResultUnreadableError,
    SubmitUnknownError,
    Task,
    TaskFailedError,
    TaskNotFoundError,
    TaskStuckError,
    TaskTimeoutError,
)
from nanobanana_async.emulator import VirtualTimeLoop
from tests.pending_server import BALANCES, LOOKS, SUBMITS, Fate, Means, PendingServer, Request
from tests.records import Records

SOAK: Final = int(os.environ.get("NANOBANANA_SOAK", "0"))
"""Examples to try in place of the same few of every run; about 20 a second."""

HOLD: Final = 120.0  # unknown_hold
STUCK: Final = 301.37  # stuck_after; odd, so that no step of time ends just there
CALM: Final = 3_600.0
"""Seconds within which everybody has an outcome once the server answers well."""
ROUNDING: Final = 1e-3
TURNS: Final = 40
"""Turns of the loop in which all happens that needs no time."""

UNPAID: Final = (
    QueueTimeoutError,
    NotSubmittedError,
    InvalidRequestError,
    APIConnectionError,
    APIStatusError,
    ClientClosedError,
)
"""Errors that say, where they name no task, that nothing was paid."""

SLOW: Final = 50.0
"""Seconds that a slow consumer takes for an outcome."""
TIMES: Final = (0.013, 0.7, 1.9, 7.3, 17.3, 31.9, 63.7, 123.1, 330.3)


@define(eq=False)
class Running:
    """A task at the server, and what the client has heard of it."""

    id: str
    wish: "Wish | None" = None
    """The prompt whose acceptance was heard; None for a task that is not the client's own."""
    final: str | None = None
    tracked: bool = False
    """True from when the client knows of it until it heard of its end."""
    holds: bool = False
    """True while it counts against the slots."""
    holds_since: float = inf
    stuck: bool = False
    age_from: float = 0.0
    seen: bool = False
    missing_at: float | None = None
    missing_looks: int = 0
    unreadable_at: float | None = None
    end: Means | None = None

    def looked(self, means: Means, now: float) -> None:
        """A look at it was answered."""
        if means is Means.MISSING:
            self._missing(now)
        elif means in (Means.UNFINISHED, Means.UNREADABLE):
            self.seen, self.missing_at, self.missing_looks = True, None, 0
            self._unfinished(now) if means is Means.UNFINISHED else self._unreadable(now)
        elif means in (Means.SUCCESS, Means.FAILED, Means.FORBIDDEN):
            self._ended(means)

    def _unfinished(self, now: float) -> None:
        self.unreadable_at = None
        self.stuck = self.stuck or now - self.age_from >= STUCK
        self.holds_since = min(self.holds_since, now)
        self.holds = not self.stuck

    def _unreadable(self, now: float) -> None:
        self.unreadable_at = now if self.unreadable_at is None else self.unreadable_at
        if now - self.unreadable_at >= 60:
            self._ended(Means.UNREADABLE)

    def _missing(self, now: float) -> None:
        self.missing_looks += 1
        self.missing_at = now if self.missing_at is None else self.missing_at
        patience = 600 if self.seen else 30
        if self.missing_looks >= 3 and now - self.missing_at >= patience:
            self._ended(Means.MISSING)

    def _ended(self, means: Means) -> None:
        self.tracked = self.holds = False
        self.end = means


@define(eq=False)
class Wish:
    """A prompt: what became of it at the server, and what its caller may have heard."""

    name: str
    resubmit: bool
    state: str = "queued"
    attempts: int = 0
    accepted: int = 0
    lost: int = 0
    doubted: bool = False
    task: Running | None = None
    told_unknown: bool = False
    entrusted: bool = False
    """True once its end was there to be had from a handle that somebody held."""

    @property
    def unsettled(self) -> bool:
        """True where an answer was lost and nothing that came later makes up for it."""
        return self.lost > 0 and self.task is None


@define(eq=False)
class Caller:
    """Somebody who waits, for these prompts, until then."""

    waits_for: set[Wish]
    deadline: float
    many: bool = False
    """True where the deadline is that of each prompt, and outcomes may lie ready to be taken."""
    slow: bool = False
    """True where it does not take them at once."""
    task: asyncio.Task[None] = field(init=False)


@define(eq=False)
class Handle:
    """A handle that somebody holds."""

    task: Task
    wish: Wish | None
    running: Running | None = None


@frozen
class Manner:
    """How requests are answered as they come: with these fates in turn, each after `wait` seconds."""

    submits: tuple[str, ...] = ("accepted",)
    looks: tuple[str, ...] = ("success",)
    balances: tuple[str, ...] = ("good",)
    wait: float = 0.0

    def fate(self, request: Request, number: int) -> str:
        if request.table is SUBMITS:
            fates = self.submits
        else:
            fates = self.looks if request.table is LOOKS else self.balances
        return fates[number % len(fates)]


@define
class Model:
    """What is true, and the rules that it is held to."""

    clock: Callable[[], float]
    limits: Limits
    server: PendingServer = field(factory=PendingServer)
    wishes: dict[str, Wish] = field(factory=dict)
    tasks: dict[str, Running] = field(factory=dict)
    callers: list[Caller] = field(factory=list)
    handles: list[Handle] = field(factory=list)
    unknown: list[float] = field(factory=list)
    """Until when submits whose answer was lost hold a slot."""
    told_ids: set[str] = field(factory=set)
    broken: list[str] = field(factory=list)
    manner: Manner | None = None
    """None: nothing is answered before a step says so."""
    served: int = 0
    refused: bool = False
    """True once a submit was answered 429: the client may keep slots free from then on."""
    stopped: bool = False

    def __attrs_post_init__(self) -> None:
        self.server.arrived, self.server.ended = self.arrived, self.ended

    def must(self, condition: object, rule: str) -> None:
        if not condition:
            self.broken.append(rule)

    # What the server sees

    def arrived(self, request: Request) -> None:
        now = self.clock()
        self.must(self.server.counted(now) <= self.limits.requests_per_minute, "window exceeded")
        if request.table is SUBMITS:
            self._submit_arrived(self.wishes[request.prompt], now)
        if self.manner is not None:
            self.served += 1
            fate = self.manner.fate(request, self.served)
            asyncio.get_running_loop().call_later(self.manner.wait, self.answer, request, fate)

    def _submit_arrived(self, wish: Wish, now: float) -> None:
        self.must(wish.state == "queued", f"{wish.name} sent though it is {wish.state}")
        wish.state = "sending"
        wish.attempts += 1
        held = self.held(now, adopted_until=now - ROUNDING)
        self.must(held <= self.limits.concurrent_tasks, "more tasks than slots")

    def answer(self, request: Request, fate: str) -> None:
        """Settle the fate of a request; a task that has ended does not run again."""
        running = self.tasks.get(request.task_id)
        if running is not None and running.final is not None and fate == "processing":
            fate = running.final
        elif running is not None and fate in ("success", "failed", "no credit"):
            fate = running.final = running.final or fate
        self.server.answer(request, fate)

    def ended(self, request: Request, fate: Fate) -> str:
        now = self.clock()
        if request.table is SUBMITS:
            return self._submit_ended(self.wishes[request.prompt], request, fate, now)
        if (running := self.tasks.get(request.task_id)) is not None:
            running.looked(fate.means, now)
        return request.task_id

    def _submit_ended(self, wish: Wish, request: Request, fate: Fate, now: float) -> str:
        task_id = f"t{len(self.tasks) + 1}" if fate.accepted else ""
        self.refused = self.refused or fate in (SUBMITS["429"], SUBMITS["429, later"])
        if fate.accepted:
            wish.accepted += 1
            self.tasks[task_id] = Running(task_id)
        if fate.means is Means.ACCEPTED:
            wish.state, wish.task = "accepted", self.tasks[task_id]
            wish.task.wish, wish.task.age_from = wish, (request.sent_at + now) / 2
            wish.task.tracked = wish.task.holds = True
        elif fate.means is Means.UNKNOWN:
            wish.lost += 1
            self.unknown.append(now + HOLD)
            wish.state = self._back(wish) if wish.resubmit else "unknown"
        elif fate.means is Means.NOT_NOW or (fate.means is Means.WRONG_KEY and not wish.doubted):
            wish.doubted = wish.doubted or fate.means is Means.WRONG_KEY
            wish.state = self._back(wish)
        else:
            wish.state = "refused"
        return task_id

    def _back(self, wish: Wish) -> str:
        return "queued" if self.waited(wish) else "withdrawn"

    # What is true now

    def waited(self, wish: Wish) -> bool:
        now = self.clock()
        return any(
            wish in one.waits_for and not (one.many and one.deadline < now) for one in self.callers
        )

    @property
    def tracked(self) -> set[str]:
        return {one.id for one in self.tasks.values() if one.tracked}

    def queued(self, *, slow: bool) -> int:
        """Prompts that stand in line; `slow` counts those, too, whose outcome may lie ready."""
        waiting = [caller for caller in self.callers if slow or not caller.slow]
        wishes = set().union(*(caller.waits_for for caller in waiting))
        return sum(one.state == "queued" for one in wishes)

    def held(self, now: float, adopted_until: float = inf) -> int:
        """Slots that are taken: running tasks, submits under way, and those that may run."""
        self.unknown = [until for until in self.unknown if until + ROUNDING > now]
        running = sum(
            one.holds and (one.wish is not None or one.holds_since < adopted_until)
            for one in self.tasks.values()
        )
        return running + len(self.server.submits) + len(self.unknown) - self.just_over(now)

    def just_over(self, now: float) -> int:
        """Unknown submits whose slot comes free about now."""
        return sum(until - ROUNDING <= now for until in self.unknown)

    # What callers are told

    def got(self, wish: Wish | None, result: ImageResult) -> None:
        self.told_ids.add(result.task_id)
        running = self.tasks.get(result.task_id)
        self.must(running and running.end is Means.SUCCESS, "a result of an unfinished task")
        if wish is not None:
            self.must(wish.task is running, f"{wish.name} got the result of another prompt")
            right = result.request is not None and result.request.prompt == wish.name
            self.must(right, "a result that names another prompt")

    def told(self, wish: Wish | None, error: NanoBananaError, known: str | None = None) -> None:
        """A caller was told `error`, about `wish` or about a task whose id it knows already."""
        self.must(not isinstance(error, ClientCrashedError), f"crashed: {error.__cause__!r}")
        self._named(error)
        if wish is None:
            return
        if (task_id := error.task_id or known) is not None:
            right = wish.task is not None and wish.task.id == task_id
            self.must(right, f"{wish.name} was told of another's task: {error!r}")
        elif isinstance(error, UNPAID):
            unpaid = wish.accepted == 0 and wish.lost == 0 and wish.state != "sending"
            self.must(unpaid, f"{wish.name} may have been paid, told {error!r}")
        if isinstance(error, SubmitUnknownError):
            wish.told_unknown = True
            self.must(wish.lost, f"{wish.name} was told that its answer was lost")
        if isinstance(error, TaskTimeoutError):
            self.must(wish.attempts, f"{wish.name} was never sent, told {error!r}")
            self.hold(error.task, wish)

    def _named(self, error: NanoBananaError) -> None:
        """All tasks that it names are known to whoever reads it; and the reason it gives is true."""
        self.told_ids.update(re.findall(r"\bt\d+\b", str(error)))
        running = self.tasks.get(error.task_id or "")
        reasons = {
            TaskFailedError: Means.FAILED,
            TaskNotFoundError: Means.MISSING,
            ResultUnreadableError: Means.UNREADABLE,
        }
        if running is not None and type(error) in reasons:
            self.must(running.end is reasons[type(error)], f"not true: {error!r}")
        if running is not None and isinstance(error, TaskStuckError):
            self.must(running.stuck, f"not true: {error!r}")

    def hold(self, task: object, wish: Wish | None, running: Running | None = None) -> None:
        """Somebody got a handle and keeps it."""
        if not isinstance(task, Task):
            self.must(False, "no handle")
            return
        if task.id is not None:
            self.told_ids.add(task.id)
        if all(one.task is not task for one in self.handles):
            self.handles.append(Handle(task, wish, running))

    # The rules

    def nothing_is_lost(self, records: list[logging.LogRecord]) -> None:
        """Whatever may have been accepted is tracked, or somebody was told, or it is logged."""
        for handle in self.handles:
            if handle.wish is not None and handle.wish.state != "queued":
                handle.wish.entrusted = True
        logged = _logged_ids(records)
        keys = {getattr(record, "key", None) for record in records}
        coming = {wish for one in self.callers if one.slow for wish in one.waits_for}
        for wish in self.wishes.values():
            if wish.entrusted or wish in coming:
                continue
            if (running := wish.task) is not None and not running.tracked:
                known = running.id in self.told_ids | logged
                self.must(known, f"{running.id} of {wish.name} ended, and nobody was told")
            waits = wish.state == "sending" or (wish.state == "queued" and self.waited(wish))
            if wish.unsettled and not waits:
                known = wish.told_unknown or wish.name in keys
                self.must(known, f"{wish.name} may have been accepted, and nobody was told")

    def paid_once(self) -> None:
        for wish in self.wishes.values():
            most = 1 + (wish.lost if wish.resubmit else 0)
            self.must(wish.accepted <= most, f"{wish.name} was accepted {wish.accepted} times")

    def nobody_waits_too_long(self) -> None:
        until = self.clock() - ROUNDING
        late = any(one.deadline < until and one.waits_for and not one.slow for one in self.callers)
        self.must(not late, "a time-out did not end a wait")

    def figures_are_true(self, client: NanoBananaClient) -> None:
        figures, now = client.statistics(), self.clock()
        self.must(figures.in_flight == len(self.tracked), "in_flight")
        self.must(figures.submitting == len(self.server.submits), "submitting")
        least, most = self.queued(slow=False), self.queued(slow=True)
        self.must(
            least <= figures.queued <= most, f"queued {figures.queued}, not {least} to {most}"
        )
        free = max(self.limits.concurrent_tasks - self.held(now), 0)
        least = 0 if self.refused else max(free - self.just_over(now), 0)
        right = least <= figures.slots_left <= free
        self.must(right, f"slots_left {figures.slots_left}, not {least} to {free}")
        room = self.limits.requests_per_minute - self.server.counted(now)
        self.must(figures.tokens_left <= room, f"tokens_left {figures.tokens_left}, not {room}")


def _logged_ids(records: Iterable[logging.LogRecord]) -> set[str]:
    ids = set()
    for record in records:
        ids.add(getattr(record, "task_id", ""))
        ids.update(getattr(record, "task_ids", ()))
    return ids


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


seconds = st.sampled_from(TIMES)
timeouts = st.sampled_from((None, None, None, 0.61, 45.19, 150.37))
submit_fates = st.sampled_from(["accepted"] * 6 + ["401", "429", "503"] + list(SUBMITS))
look_fates = st.sampled_from(["processing"] * 8 + ["success"] * 3 + ["404"] * 2 + list(LOOKS))
balance_fates = st.sampled_from(["good"] * 8 + list(BALANCES))
picks = st.integers(0, 7)
manners = st.builds(
    Manner,
    st.lists(submit_fates, min_size=1, max_size=4).map(tuple),
    st.lists(look_fates, min_size=1, max_size=4).map(tuple),
    st.lists(balance_fates, min_size=1, max_size=2).map(tuple),
    st.sampled_from((0.0, 0.0, 0.3, 9.1, 40.0)),
)


# A failure is shrunk to its shortest steps first, for up to five minutes.
pytestmark = pytest.mark.timeout(0 if SOAK else 400)


class Calls(RuleBasedStateMachine):
    """Each rule does one thing and lets everything happen that follows from it at once."""

    client: NanoBananaClient
    model: Model
    ending = "close"

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self.loop.set_exception_handler(self._unhandled)
        self.log = Records()
        self._logger = logging.getLogger("nanobanana_async")
        self._logger.addHandler(self.log)
        self._logger.propagate = False

    def _unhandled(self, _: object, context: dict[str, Any]) -> None:
        self.model.broken.append(f"asyncio complains: {context}")

    @initialize(
        rate=st.sampled_from((8, 60, 300)),
        slots=st.integers(1, 4),
        ending=st.sampled_from(("calm", "close", "cancelled close")),
        manner=st.none() | manners,
    )
    def begin(self, rate: int, slots: int, ending: str, manner: Manner | None) -> None:
        self.ending, self.last_manner = ending, manner
        self.model = Model(self.loop.time, Limits(rate, slots))
        self.client = NanoBananaClient(
            transport=self.model.server,
            limits=self.model.limits,
            stuck_after=STUCK,
            unknown_hold=HOLD,
        )
        self.do(self.client.__aenter__())

    def do(self, step: Awaitable[object] | None = None) -> None:
        """Take a step, and let everything happen that follows from it at once."""

        async def and_settle() -> None:
            if step is not None:
                await step
            await settle()

        self.loop.run_until_complete(and_settle())

    # Calls

    def wish(self, resubmit: bool) -> Wish:
        name = f"prompt {len(self.model.wishes) + 1}"
        wish = self.model.wishes[name] = Wish(name, resubmit)
        return wish

    def call(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        wish: Wish | None = None,
        timeout: float | None = None,
        *,
        handle: Task | None = None,
    ) -> None:
        """Start a caller of one prompt, of a handle, or of neither."""
        caller = Caller({wish} if wish else set(), self.loop.time() + (timeout or inf))

        async def told() -> None:
            try:
                await work()
            except NanoBananaError as error:
                self.model.told(wish, error, handle.id if handle else None)

        self._start(caller, told())

    def _start(self, caller: Caller, work: Coroutine[Any, Any, None]) -> None:
        """A caller counts as waiting until its call has ended, however it ends."""

        async def waiting() -> None:
            try:
                await work
            except asyncio.CancelledError:
                pass  # raised on, it would keep the frames that hold a handle
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody documented it
                self.model.broken.append(f"a call raised {error!r}")
            finally:
                caller.waits_for.clear()
                self.model.callers.remove(caller)

        self.model.callers.append(caller)
        caller.task = self.loop.create_task(waiting())
        self.do()

    @rule(timeout=timeouts, resubmit=st.booleans())
    def generate(self, timeout: float | None, resubmit: bool) -> None:
        wish = self.wish(resubmit)

        async def work() -> None:
            result = await self.client.generate(
                wish.name, timeout=timeout, resubmit_unknown=resubmit, key=wish.name
            )
            self.model.got(wish, result)

        self.call(work, wish, timeout)

    @rule(timeout=timeouts, resubmit=st.booleans())
    def submit(self, timeout: float | None, resubmit: bool) -> None:
        wish = self.wish(resubmit)

        async def work() -> None:
            task = await self.client.submit(
                wish.name, timeout=timeout, resubmit_unknown=resubmit, key=wish.name
            )
            self.model.must(wish.task and wish.task.id == task.id, "a handle of another's")
            self.model.hold(task, wish)

        self.call(work, wish, timeout)

    @rule(
        count=st.integers(1, 4),
        timeout=timeouts,
        resubmit=st.booleans(),
        pause=st.sampled_from((0.0, SLOW)),
    )
    def generate_many(
        self, count: int, timeout: float | None, resubmit: bool, pause: float
    ) -> None:
        wishes = [self.wish(resubmit) for _ in range(count)]
        caller = Caller(set(wishes), self.loop.time() + (timeout or inf), many=True, slow=pause > 0)

        async def work() -> None:
            requests = [ImageRequest(wish.name, key=wish.name) for wish in wishes]
            try:
                run = self.client.generate_many(
                    requests, timeout=timeout, resubmit_unknown=resubmit
                )
                await self._take(run, caller, pause)
            except NanoBananaError as error:
                self.model.told(None, error)

        self._start(caller, work())

    async def _take(self, run: GenerateMany, caller: Caller, pause: float) -> None:
        """Take one outcome of each prompt, with a pause after each."""
        wishes = {wish.name: wish for wish in caller.waits_for}
        try:
            async for outcome in run:
                wish = wishes.pop(outcome.request.prompt)  # raises where it comes twice
                caller.waits_for.discard(wish)
                if outcome.result is not None:
                    self.model.got(wish, outcome.result)
                else:
                    self.model.told(wish, outcome.error or NanoBananaError("no outcome"))
                await asyncio.sleep(pause)
            self.model.must(not wishes, f"no outcome for {list(wishes)}")
        finally:
            caller.waits_for.clear()
            await run.aclose()

    @precondition(lambda self: not self.model.stopped)
    @rule(pick=picks, foreign=st.booleans())
    def adopt(self, pick: int, foreign: bool) -> None:
        """Get the handle of a task by its id: one that this client runs, has lost, or never had."""
        model = self.model
        known = [one for one in model.tasks.values() if one.end is None]
        if foreign or not known:
            running = Running(f"t{len(model.tasks) + 1}")
            model.tasks[running.id] = running
        else:
            running = known[pick % len(known)]

        async def handle() -> None:
            task = self.client.task(running.id)
            held = [one.task for one in model.handles if one.task.id == running.id]
            model.must(task in held or not (held and running.tracked), "two handles of one task")
            model.hold(task, running.wish, running)

        self.do(handle())

    def _taken_in(self, pick: int) -> tuple[Task, Wish | None]:
        """Pick a handle to ask; a task that was not tracked is from then on."""
        handle = self.model.handles[pick % len(self.model.handles)]
        running = handle.running
        unheard = running is not None and running.end is None and not running.tracked
        if running is not None and unheard and not self.model.stopped:
            running.tracked, running.age_from = True, self.loop.time()
        return handle.task, handle.wish

    @precondition(lambda self: self.model.handles)
    @rule(pick=picks, timeout=timeouts)
    def await_handle(self, pick: int, timeout: float | None) -> None:
        task, wish = self._taken_in(pick)

        async def work() -> None:
            self.model.got(wish, await task.result(timeout))

        self.call(work, wish, timeout, handle=task)

    @precondition(lambda self: self.model.handles)
    @rule(pick=picks)
    def status(self, pick: int) -> None:
        task, wish = self._taken_in(pick)

        async def work() -> None:
            status = await task.status()
            self.model.must(status.task_id == task.id, "the status of another task")
            self.model.told_ids.add(status.task_id)

        self.call(work, wish, handle=task)

    @rule()
    def balance(self) -> None:
        async def work() -> None:
            balance = await self.client.balance()
            self.model.must(balance == {"balance": 7}, "a balance that the server never told")

        self.call(work)

    @rule(
        others=st.integers(1, 2),
        fate=st.sampled_from(("401", "429", "503", "not sent")) | submit_fates,
        leaving=st.integers(0, 2),
    )
    def wait_on_after_a_time_out(self, others: int, fate: str, leaving: int) -> None:
        """A call's time ends while its submit is under way; others wait on, and some leave."""
        before = list(self.model.callers)
        self.generate(timeout=0.61, resubmit=False)
        self.let_time_pass(time=0.7)
        wish = list(self.model.wishes.values())[-1]
        handles = [one.wish for one in self.model.handles]
        if wish.state != "sending" or wish not in handles:
            return
        for _ in range(others):
            self.await_handle(pick=handles.index(wish), timeout=None)
        self._answer([one for one in self._open(SUBMITS) if one.prompt == wish.name], 0, fate)
        for caller in [one for one in self.model.callers if one not in before][:leaving]:
            caller.task.cancel()
        self.do()

    # Leaving

    @precondition(lambda self: self.model.callers)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        """One caller leaves; all others wait as before."""
        others = list(self.model.callers)
        caller = others.pop(pick % len(others))
        caller.task.cancel()
        self.do()
        self.model.must(caller not in self.model.callers, "a cancelled caller still waits")
        for other in others:
            on_time = other.deadline < self.loop.time() + ROUNDING
            self.model.must(other in self.model.callers or on_time, "another caller was disturbed")

    @precondition(lambda self: self.model.handles)
    @rule(pick=picks)
    def drop(self, pick: int) -> None:
        del self.model.handles[pick % len(self.model.handles)]

    # The server, and time

    def _answer(self, requests: list[Request], pick: int, fate: str) -> None:
        self.model.answer(requests[pick % len(requests)], fate)
        self.do()

    def _open(self, table: dict[str, Fate]) -> list[Request]:
        return [one for one in self.model.server.open if one.table is table]

    @precondition(lambda self: self._open(SUBMITS))
    @rule(pick=picks, fate=submit_fates)
    def answer_submit(self, pick: int, fate: str) -> None:
        self._answer(self._open(SUBMITS), pick, fate)

    @precondition(lambda self: self._open(LOOKS))
    @rule(pick=picks, fate=look_fates)
    def answer_look(self, pick: int, fate: str) -> None:
        self._answer(self._open(LOOKS), pick, fate)

    @precondition(lambda self: self._open(BALANCES))
    @rule(fate=balance_fates)
    def answer_balance(self, fate: str) -> None:
        self._answer(self._open(BALANCES), 0, fate)

    @precondition(lambda self: self.model.server.open and self.model.callers)
    @rule(
        pick=picks,
        who=picks,
        submit=submit_fates,
        look=look_fates,
        turns=st.integers(0, 6),
    )
    def answer_and_cancel(self, pick: int, who: int, submit: str, look: str, turns: int) -> None:
        """An answer comes, and a few turns of the loop later a caller leaves."""
        request = self.model.server.open[pick % len(self.model.server.open)]
        waiting = self.model.callers[who % len(self.model.callers)].task
        fate = Manner((submit,), (look,)).fate(request, 0)

        async def both() -> None:
            self.model.answer(request, fate)
            for _ in range(turns):
                await asyncio.sleep(0)
            waiting.cancel()

        self.do(both())

    @rule(time=seconds)
    def let_time_pass(self, time: float) -> None:
        """Nothing is answered meanwhile."""
        self.do(asyncio.sleep(time))

    @rule(time=seconds, manner=manners, at_once=st.booleans())
    def serve(self, time: float, manner: Manner, at_once: bool) -> None:
        """What comes meanwhile is answered in one manner; what waited already, too, or not."""
        self._serve(manner, at_once=at_once)
        self.do(asyncio.sleep(time))
        self.model.manner = None

    def _serve(self, manner: Manner, *, at_once: bool) -> None:
        self.model.manner = manner
        for number, request in enumerate(self.model.server.open if at_once else ()):
            self.model.answer(request, manner.fate(request, number))

    # What holds after each step

    @invariant()
    def all_rules_hold(self) -> None:
        if not hasattr(self, "model"):
            return
        model = self.model
        self._find_out_whether_stopped()
        model.figures_are_true(self.client)
        self._check()
        if model.stopped:
            model.must(model.queued(slow=False) == 0, "a stopped client lets callers wait")
        assert not model.broken, model.broken

    def _check(self) -> None:
        self.model.paid_once()
        self.model.nothing_is_lost(self.log.records)
        self.model.nobody_waits_too_long()

    def _find_out_whether_stopped(self) -> None:
        async def asks() -> None:
            try:
                self.client.task("t0")
            except NanoBananaError:
                self.model.stopped = True

        self.loop.run_until_complete(asks())

    # The end

    def teardown(self) -> None:
        try:
            if hasattr(self, "model") and not self.model.broken:
                if self.ending == "calm" and not self.model.stopped:
                    self._calm()
                self._close()
                self._check()
                assert not self.model.broken, self.model.broken
        finally:
            self._clean()

    def _calm(self) -> None:
        """From now on the server answers well: everybody has an outcome before long."""
        model = self.model
        self._serve(Manner(), at_once=True)
        self.do()
        until = self.loop.time() + CALM
        while (model.callers or model.tracked) and self.loop.time() < until:
            self.do(asyncio.sleep(30.0))
        self._find_out_whether_stopped()
        model.must(not model.callers, "a caller waits for ever")
        if not model.stopped:
            model.must(not model.tracked, "a task is tracked for ever")
            self.do(asyncio.sleep(HOLD + 1))
            model.figures_are_true(self.client)

    def _close(self) -> None:
        """Nothing is left, and the warning names what still runs."""
        model = self.model
        model.manner = self.last_manner
        closing = self.loop.create_task(self.client.aclose())
        self.do()
        if self.ending == "cancelled close":
            closing.cancel()
        begun = self.loop.time()
        self.loop.run_until_complete(asyncio.wait([closing]))
        grace = 5.0 if self.ending == "cancelled close" else 30.0
        model.must(self.loop.time() - begun <= grace + ROUNDING, "closing took too long")
        self.do()
        cut_off = [one.cut_off_at for one in model.server.requests if one.table is SUBMITS]
        early = min(cut_off, default=inf) < begun + grace - ROUNDING
        model.must(not early, "a submit under way was cut off before its time")
        model.must(model.server.closed, "the transport was not closed")
        waiting = [caller for caller in model.callers if not caller.slow]
        model.must(not waiting, "a caller waits though the client is closed")
        self.do(asyncio.sleep(SLOW * 5))  # for the slow ones to take what lies ready
        left = asyncio.all_tasks(self.loop)
        model.must(not left and not model.callers, f"left behind: {left}")
        named = [record for record in self.log.records if hasattr(record, "task_ids")]
        ids = {task_id for record in named for task_id in getattr(record, "task_ids", ())}
        model.must(ids == model.tracked, f"named {ids}, unfinished {model.tracked}")

    def _clean(self) -> None:
        self._logger.removeHandler(self.log)
        self._logger.propagate = True
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left))
        self.loop.close()


TestCalls = Calls.TestCase
TestCalls.settings = settings(
    deadline=None,
    derandomize=not SOAK,
    max_examples=SOAK or 300,
    stateful_step_count=50,
    report_multiple_bugs=False,
)
