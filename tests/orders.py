"""One call, and an API at which a test decides what happens to it, and in which order."""

import asyncio
import json
from contextlib import suppress
from math import inf
from typing import Any

from attrs import define, field, frozen

from nanobanana_async import ImageResult, NanoBananaClient, Outcome, Record, Statistics, Webhooks
from nanobanana_async._wire import Call, NoAnswerError, Reply
from tests.emulated import envelope
from tests.hooked import HOOKS, told
from tests.memory_journal import MemoryJournal

ENDS = ("success", "failed")
GOOD = 600.0
"""Seconds after its end for which a token is good."""


@frozen(kw_only=True)
class Options:
    """What differs between clients."""

    resubmit: bool = False
    confirm: bool = False
    writes: float | None = None
    """Seconds that a write to the journal takes; None for no journal."""
    listens: bool = False
    """True where the caller has a handle and listens to the states."""


@define(eq=False)
class CutJournal(MemoryJournal):
    """Knows what is surely on the disk: a kill loses what was only noted after that."""

    safe: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.safe = len(self.records)

    async def write(self, record: Record) -> None:
        place = len(self.records)
        await super().write(record)
        self.safe = max(self.safe, place + 1)

    async def aclose(self) -> None:
        await super().aclose()
        self.safe = len(self.records)

    def cut(self) -> "CutJournal":
        """Return what a kill in this moment leaves."""
        return CutJournal(self.records[: self.safe], self.delay)


@define(eq=False)
class Attempt:
    """A submit that reached the API, and its task there."""

    number: int
    token: str
    answer: asyncio.Future[Reply]
    accepted: bool = False
    refused: bool = False
    lost: bool = False
    """True where its answer was lost; it may have been accepted."""
    end: str | None = None
    ended_at: float = inf
    told: bool = False
    """True once a delivery of its end was taken."""
    seen: bool = False
    """True once a look has shown its end."""

    @property
    def task_id(self) -> str:
        return f"task_{self.number}"

    @property
    def url(self) -> str:
        return f"https://pictures.example/{self.task_id}.png"

    def ends(self, state: str) -> None:
        if self.end is None:
            self.end, self.ended_at = state, asyncio.get_running_loop().time()

    def body(self, state: str) -> bytes:
        """What a delivery or a look says of it in this state."""
        more = {
            "success": {"resultJson": json.dumps({"resultUrls": [self.url]})},
            "failed": {"failCode": "GENERATION_FAILED"},
        }
        return told(self.task_id, state, **more.get(state, {}))


@define(eq=False)
class Api:
    """Answers looks by itself, and submits when it is told to."""

    attempts: list[Attempt] = field(factory=list)
    slow: asyncio.Event | None = None
    """Until this is set, looks are held; they show what was so when they came."""

    async def send(self, call: Call, timeout: float) -> Reply:
        del timeout
        if call.method == "POST":
            return await self._submit(json.loads(call.body or b""))
        if call.query:
            return await self._look(call.query["taskId"])
        return envelope(200, data={"balance": 1})

    async def aclose(self) -> None:
        pass

    async def _submit(self, body: Any) -> Reply:
        token = str(body["callback_url"]).rpartition("/")[2]
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.attempts.append(Attempt(len(self.attempts), token, answer))
        return await answer

    async def _look(self, task_id: str) -> Reply:
        attempt = self.attempts[int(task_id.removeprefix("task_"))]
        ended, body = attempt.end is not None, attempt.body(attempt.end or "processing")
        await asyncio.sleep(0.05)
        if self.slow is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.slow.wait(), 25.0)
        attempt.seen |= ended
        return Reply(200, {}, body)

    def pending(self) -> list[Attempt]:
        """Those whose submit is not answered yet."""
        return [attempt for attempt in self.attempts if not attempt.answer.done()]


@define(eq=False)
class Run:
    """One call and what happens to it; each event is a method, and takes a second."""

    options: Options
    api: Api = field(factory=Api)
    journal: CutJournal | None = field(init=False)
    client: NanoBananaClient = field(init=False)
    call: "asyncio.Task[ImageResult]" = field(init=False)
    resuming: "list[asyncio.Task[None]]" = field(factory=list)
    outcomes: list[Outcome] = field(factory=list)
    """What clients handed out of the journal."""
    handed_out: list[Outcome] = field(factory=list)
    """Of those, the present client's."""
    restarts: int = 0
    killed: bool = False
    most_posts: float = inf
    """Submits that were made when the first delivery was taken, or the caller left: there must be
    no more."""
    in_time: bool = False
    """True where a delivery was taken while the caller waited."""
    figures: Statistics = field(init=False)
    """The last client's, when all was over."""
    broken: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        writes = self.options.writes
        self.journal = None if writes is None else CutJournal(delay=writes)

    def must(self, holds: object, fault: str) -> None:
        if not holds:
            self.broken.append(fault)

    async def begin(self) -> None:
        await self._open()
        self.call = asyncio.create_task(self._call())
        await asyncio.sleep(3)

    async def happen(self, event: str) -> None:
        name, *how = event.split()
        await getattr(self, name)(*how)
        await asyncio.sleep(1)
        self._check_slots()

    def _check_slots(self) -> None:
        """What runs and is waited for has a slot."""
        runs = any(attempt.accepted and attempt.end is None for attempt in self.api.attempts)
        if runs and not (self.call.done() or self.restarts):
            engine = self.client._engine
            self.must(engine and engine.tracker.slots.held, "what runs has no slot")

    async def end(self) -> None:
        """Let the API answer everything and deliver every end; then close the client."""
        for _ in range(8):
            await self.happen("answer accepted")
            for attempt in self.api.attempts:
                if attempt.accepted and not attempt.told:
                    await self.happen(f"deliver {attempt.number} success")
            await asyncio.sleep(5)
            await self.happen("release")
            if self.call.done() and not self.api.pending():
                break
            await asyncio.sleep(300)
        await asyncio.sleep(700)
        self.must(self.call.done(), "the caller hangs")
        self.figures = self.client.statistics()
        self.must(self.client._engine and self.client._engine.is_open, "the client crashed")
        self.call.cancel()
        await self.aclose()

    async def aclose(self) -> None:
        await self.client.aclose()
        await asyncio.gather(self.call, *self.resuming, return_exceptions=True)

    async def _open(self) -> None:
        hooks = Webhooks(
            public_url=HOOKS.public_url, secret=HOOKS.secret, confirm=self.options.confirm
        )
        self.client = NanoBananaClient(
            transport=self.api,
            webhooks=hooks,
            base_url="http://127.0.0.1:1",
            journal=self.journal,
            resubmit_unknown=self.options.resubmit,
        )
        await self.client.__aenter__()

    async def _call(self) -> ImageResult:
        if not self.options.listens:
            return await self.client.generate("a cat", key="cat")
        task = await self.client.submit("a cat", key="cat")
        states = [status.state async for status in task.events()]
        self.must(states and states[-1] in ENDS, f"the states told were {states}")
        return await task

    # Events

    async def answer(self, how: str) -> None:
        """The oldest submit that waits for its answer gets this one: a code, or what it means."""
        for attempt in self.api.pending()[:1]:
            if how == "lost":
                attempt.lost = True
                attempt.answer.set_exception(NoAnswerError("lost"))
            elif how == "accepted":
                attempt.accepted = True
                attempt.answer.set_result(envelope(200, data={"taskId": attempt.task_id}))
            else:
                attempt.refused = not attempt.accepted
                attempt.answer.set_result(envelope(int(how)))

    async def deliver(self, number: str, state: str) -> None:
        """The webhook tells of this attempt, or of the last one; a task ends once."""
        attempt = self.api.attempts[: int(number) + 1][-1]
        if not attempt.refused:
            await self._deliver(attempt, state)

    async def _deliver(self, attempt: Attempt, state: str) -> None:
        posts, waits = len(self.api.attempts), not self.call.done()
        over = asyncio.get_running_loop().time() >= attempt.ended_at + GOOD
        if state in ENDS:
            attempt.ends(state)
            state = str(attempt.end)
        status = await self.client.webhooks.deliver(attempt.body(state), attempt.token)
        good = status == 200 or (status == 404 and over)
        self.must(good, f"a delivery of {attempt.task_id} was answered {status}")
        if status == 200:
            attempt.accepted = True
            attempt.told |= state in ENDS
            self.in_time |= waits
            self.most_posts = min(self.most_posts, posts)

    async def leave(self) -> None:
        self.most_posts = min(self.most_posts, len(self.api.attempts))
        self.call.cancel()

    async def see(self) -> None:
        """What runs ends, and there is time for a look that sees it."""
        for attempt in self.api.attempts:
            if attempt.accepted:
                attempt.ends("success")
        await asyncio.sleep(125)

    async def hold(self) -> None:
        """Looks are held, and there is time for one to leave."""
        self.api.slow = self.api.slow or asyncio.Event()
        await asyncio.sleep(62)

    async def release(self) -> None:
        slow, self.api.slow = self.api.slow, None
        if slow is not None:
            slow.set()

    async def patience(self) -> None:
        """It ends."""
        await asyncio.sleep(185)

    async def acknowledge(self) -> None:
        for outcome in self.handed_out:
            outcome.acknowledge()

    async def resume(self) -> None:
        self.resuming.append(asyncio.create_task(self._resume()))

    async def restart(self, *how: str) -> None:
        """Another process goes on with the journal: `killed` the first one, `resumed` at once."""
        if self.journal is None:
            return
        cut = self.journal.cut()
        for attempt in self.api.pending():
            attempt.answer.set_exception(NoAnswerError("cut off"))
        await self.client.aclose()
        if "killed" in how:
            self.journal, self.killed = cut, True
        self.restarts, self.handed_out = self.restarts + 1, []
        await self._open()
        if "resumed" in how:
            await self.resume()

    async def _resume(self) -> None:
        async for outcome in self.client.resume():
            again = outcome.attempt in [other.attempt for other in self.handed_out]
            self.must(not again, "one client hands an attempt out twice")
            self.handed_out.append(outcome)
            self.outcomes.append(outcome)
