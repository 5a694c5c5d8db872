"""The one loop that spends the request budget.

It waits until something may be sent, then for a token, then decides in one synchronous step what
the token is spent on, and hands the request to a task of its own. Nothing but this loop takes
tokens, slots and places in the window ledger, so nobody can hold one and wait for another.

A batch of looks is what one wake-up of the loop draws: as many as there are tokens at that moment,
sent side by side. Each answer is applied when it comes, not when the whole batch is answered: one
slow answer would hold up seven others for up to `request_timeout`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from math import inf
from typing import Final

from attrs import define, field

from nanobanana_async._alarm import Alarm
from nanobanana_async._attempts import Attempts
from nanobanana_async._codec import (
    BalanceAnswer,
    Busy,
    Limited,
    Refused,
    Seen,
    balance_call,
    read_balance,
    read_look,
    read_submit,
    status_call,
    submit_call,
    with_callback,
)
from nanobanana_async._errors import (
    APIConnectionError,
    AuthenticationError,
    InsufficientBalanceError,
    JournalError,
    NanoBananaError,
    WrongLoopError,
    fresh,
)
from nanobanana_async._failures import ACCOUNT, group_of
from nanobanana_async._gateway import Attempt, Gateway, NotSent
from nanobanana_async._generation import Generation, fail
from nanobanana_async._lifecycle import State
from nanobanana_async._models import TaskStatus
from nanobanana_async._submits import Post, Submits
from nanobanana_async._tracker import Tracker

__all__ = ["Dispatcher"]

LOOK_SHARE: Final = 8
"""At least one request in this many is a look, while any is due."""
_SOON: Final = 1.0
"""Seconds within which a look comes early enough to be a probe."""
_FIRST_SUBMITS: Final = 8
"""Submits under way at once before the API has ever accepted one."""
_LAST_PROBE: Final = 2.0
"""Seconds before giving up on the network in which one more probe is sent."""


@define(eq=False, repr=False)
class BalanceQuery:
    """Somebody wants to know the balance, or whether the API answers at all."""

    answer: asyncio.Future[BalanceAnswer]
    started_at: float
    """The loop's time from which its patience counts; inf for the dispatcher's own."""


@define(eq=False, repr=False)
class Dispatcher:
    """Decides what each token is spent on.

    All its mutable state is changed by synchronous methods, in the loop of the client.
    """

    _gateway: Gateway
    _submits: Submits
    _tracker: Tracker
    _attempts: Attempts
    _loop: asyncio.AbstractEventLoop
    _base_url: str
    _connect_patience: float
    _alarm: Alarm = field(factory=Alarm, init=False)
    # Asked for by a caller, or by the dispatcher itself to tell what a refusal meant. A generation
    # in here is out of the schedule: it gets a look that somebody asked for.
    _asked: deque[Generation | BalanceQuery] = field(factory=deque, init=False)
    # Balance queries that wait for an answer, in line or under way.
    _queries: set[BalanceQuery] = field(factory=set, init=False)
    _asked_last: bool = field(default=False, init=False)
    _without_look: int = field(default=0, init=False)
    _key_check: BalanceQuery | None = field(default=None, init=False)
    _network_cause: str = field(default="", init=False)
    _give_up_at: float = field(default=inf, init=False)
    # Submits under way, with the tasks that they run in.
    _posts: dict[Generation, asyncio.Task[None]] = field(factory=dict, init=False)
    stopping: asyncio.Event = field(factory=asyncio.Event, init=False)
    """Set when nothing more can be sent: whoever sleeps before asking again wakes up."""
    stopped_by: NanoBananaError | None = field(default=None, init=False)
    """Why nothing more can be sent with this client; None while it can."""

    # What callers ask for

    def check(self, task_id: str | None = None) -> None:
        """Raise where nothing can be asked for, about a task where one is concerned.

        Raises:
            WrongLoopError: called from another event loop or thread.
            NanoBananaError: what stopped this client.
        """
        self.check_loop()
        if self.stopped_by is not None:
            raise fresh(self.stopped_by, task_id)

    def check_loop(self) -> None:
        """Raise `WrongLoopError` in another event loop or thread than the client's."""
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if not here:
            raise WrongLoopError("Call the client in the event loop in which it was opened")

    def submit(self, generation: Generation) -> None:
        """Queue a generation."""
        self._submits.join(generation)
        self._alarm.ring()

    def leave(self, generation: Generation) -> bool:
        """A caller stops waiting; True where it was not sent yet and is withdrawn."""
        return self._submits.leave(generation)

    def look(self, generation: Generation) -> bool:
        """Look at a task now; False where that joins a look that is under way.

        Raises what `check` raises.
        """
        self.check()
        if not self._tracker.schedule.take(generation):
            return False
        self._asked.append(generation)
        self._alarm.ring()
        return True

    def ask_balance(self) -> asyncio.Future[BalanceAnswer]:
        """Queue a balance query; the future holds what its answer means.

        Raises what `check` raises: nothing would ever answer a query of a stopped client.
        """
        self.check()
        query = self._query(self._loop.time())
        self._asked.append(query)
        self._alarm.ring()
        return query.answer

    def wake(self) -> None:
        """Decide anew: what may be sent has changed."""
        self._alarm.ring()

    # The loop

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Spend tokens until cancelled; each request runs in a task of `group`."""
        while True:
            now = self._loop.time()
            self._keep_time(now)
            ready_at = self._ready_at(now)
            if ready_at > now:
                expiry = min(self._tracker.slots.next_expiry(), self._submits.next_expiry())
                await self._alarm.sleep(min(ready_at, expiry, self._give_up_at))
                continue
            tokens = await self._gateway.tokens()
            now = self._loop.time()
            # The wait was long enough for anything to change, and each decision changes something.
            while tokens > 0 and self._ready_at(now) <= now:
                self._decide(now, group)
                tokens -= 1

    async def posts_answered(self, within: float) -> None:
        """Wait for the submits under way, `within` seconds at most."""
        if self._posts:
            await asyncio.wait(self._posts.values(), timeout=within)

    def _keep_time(self, now: float) -> None:
        self._tracker.slots.expire(now)
        self._submits.expire(now)
        if self._give_up_at <= now:
            self._give_up(now)

    def _ready_at(self, now: float) -> float:
        """From when there is something that may be sent: at once where not after `now`."""
        if self.stopped_by is not None:
            work = inf
        elif self._asked:
            work = -inf
        elif self._key_check is not None:
            work = inf  # nothing goes out with a key that may be wrong
        else:
            work = min(self._submit_at(), self._look_at(), self._probe_at(now))
        return max(work, self._gateway.opens_at(now))

    def _submit_at(self) -> float:
        # What is under way when an outage shows may be paid for and lost: few, until one is taken.
        first = self._tracker.counters.accepted == 0 and len(self._posts) >= _FIRST_SUBMITS
        return self._submits.ready_at() if self._gateway.takes_submits and not first else inf

    def _look_at(self) -> float:
        return self._tracker.schedule.next_at() if self._gateway.takes_looks else inf

    def _probe_at(self, now: float) -> float:
        """Somebody waits for a probe, which no submit may be, and no look comes soon: the balance."""
        in_doubt = not self._gateway.takes_submits and len(self._submits) > 0
        return -inf if in_doubt and self._look_at() > now + _SOON else inf

    def _decide(self, now: float, group: asyncio.TaskGroup) -> None:
        """Spend one token. Nothing in here awaits."""
        may_submit, may_look = self._submit_at() <= now, self._look_at() <= now
        # Every second token at most: hundreds of `status()` calls a second, as a web page with
        # progress bars makes, must not keep submits and other looks from their turn.
        others_wait = (may_submit or may_look) and self._key_check is None
        if self._asked and not (self._asked_last and others_wait):
            self._asked_last = True
            self._send_asked(now, group)
            return
        self._asked_last = False
        probing = self._gateway.cautious and not (may_submit and self._gateway.submit_is_probe)
        look_first = probing or self._without_look >= LOOK_SHARE - 1
        if may_look and (look_first or not may_submit):
            generation = self._tracker.schedule.draw(now)
            if generation is not None:
                self._send_look(generation, now, group)
        elif may_submit:
            self._send_submit(now, group)
        else:
            self._send_balance(self._query(), now, group)

    def _send_asked(self, now: float, group: asyncio.TaskGroup) -> None:
        asked = self._asked.popleft()
        if isinstance(asked, Generation):
            self._send_look(asked, now, group)
        else:
            self._send_balance(asked, now, group)

    # Submits

    def _send_submit(self, now: float, group: asyncio.TaskGroup) -> None:
        self._without_look += 1
        post = self._submits.begin(now)
        attempt = self._gateway.begin("submit", now, about=post.generation)
        self._posts[post.generation] = group.create_task(self._submit(post, attempt))

    async def _submit(self, post: Post, attempt: Attempt) -> None:
        generation = post.generation
        try:
            await self._attempts.sending(generation, post.callback)
        except JournalError as error:
            now = self._loop.time()
            self._gateway.withdraw(attempt, now)
            self._submits.not_recorded(post, error, now)
            self.stop_submits(error)
        else:
            if self._is_wanted(generation):
                await self._post(post, attempt)
            else:
                await self._withdraw(post, attempt)
        del self._posts[generation]  # only now: a crash in between would lose it
        self._alarm.ring()

    def _is_wanted(self, generation: Generation) -> bool:
        """False where it need not leave: while it was written down much may have happened."""
        found = generation.state is not State.SENDING
        return generation.waiters > 0 and self.stopped_by is None and not found

    async def _withdraw(self, post: Post, attempt: Attempt) -> None:
        """Nobody wants it any more, and it has not left: nothing is paid."""
        self._gateway.withdraw(attempt, self._loop.time())
        await self._attempts.answered(post.generation, NotSent("withdrawn"))
        self._submits.withdrawn(post, self._loop.time())
        if self.stopped_by is not None:
            self.stop(self.stopped_by)

    async def _post(self, post: Post, attempt: Attempt) -> None:
        """Send a submit that is on record. What came of it is, too, before anybody is told."""
        body, callback = post.generation.body, post.callback
        sent_at = self._loop.time()
        if callback is not None and callback.url is not None:
            body, callback.sent_at = with_callback(body, callback.url), sent_at
        call = submit_call(post.generation.model, body)
        read = partial(read_submit, base_url=self._base_url)
        answer = await self._gateway.exchange(attempt, call, read)
        now = self._loop.time()
        not_recorded = await self._attempts.answered(post.generation, answer)
        self._submits.answered(post, answer, sent_at=sent_at, now=now)
        self.stop_submits(not_recorded)
        self._learn(answer, now)

    # Looks

    def _send_look(self, generation: Generation, now: float, group: asyncio.TaskGroup) -> None:
        self._without_look = 0
        attempt = self._gateway.begin("look", now, about=generation.task_id)
        group.create_task(self._look(generation, attempt))

    async def _look(self, generation: Generation, attempt: Attempt) -> None:
        task_id = str(generation.task_id)
        call = status_call(generation.model, task_id)
        read = partial(read_look, base_url=self._base_url, task_id=task_id)
        answer = await self._gateway.exchange(attempt, call, read)
        now = self._loop.time()
        if isinstance(answer, NotSent):
            self._tracker.at_once(generation, now)
        else:
            # An end is on record before anybody is told of it.
            not_recorded = await self._attempts.looked(generation, answer)
            self._tracker.looked(generation, answer, sent_at=attempt.sent_at, now=now)
            self.stop_submits(not_recorded)
        if generation.answered_at is not None:  # an old task of somebody else is no news
            self._learn_of_credit(answer, now)
        self._learn(answer, now)

    # Deliveries

    def delivered(self, generation: Generation, status: TaskStatus, now: float) -> None:
        """A webhook told of a task: do what that says of more than the task."""
        if generation.answered_at is not None:
            self._learn_of_credit(Seen(status), now)
        self._learn(Seen(status), now)

    # The balance

    def _query(self, started_at: float = inf) -> BalanceQuery:
        query = BalanceQuery(self._loop.create_future(), started_at)
        self._queries.add(query)
        query.answer.add_done_callback(lambda _: self._queries.discard(query))
        return query

    def _send_balance(self, query: BalanceQuery, now: float, group: asyncio.TaskGroup) -> None:
        if not query.answer.done():  # else its caller has left
            group.create_task(self._balance(query, self._gateway.begin("balance", now)))

    async def _balance(self, query: BalanceQuery, attempt: Attempt) -> None:
        read = partial(read_balance, base_url=self._base_url)
        answer = await self._gateway.exchange(attempt, balance_call(), read)
        if isinstance(answer, NotSent):
            self._asked.appendleft(query)
        elif not query.answer.done():
            query.answer.set_result(answer)
        self._learn(answer, self._loop.time())

    # What an answer says of more than its own request

    def _learn(self, answer: object, now: float) -> None:
        match answer:
            case NotSent(cause):
                self._connection_lost(cause, now)
            case Refused(AuthenticationError() as error):
                self._check_key(error)
        if self.stopped_by is not None:
            self.stop(self.stopped_by)  # also for what was under way when it was stopped
        self._alarm.ring()

    def _learn_of_credit(self, answer: object, now: float) -> None:
        match answer:
            case Seen(TaskStatus(state="failed", fail_code=code)) if group_of(code) == ACCOUNT:
                error = InsufficientBalanceError(f"A task failed with {code}")
                self._submits.out_of_credit(error, now)

    def _check_key(self, error: AuthenticationError) -> None:
        """One 401 may be a glitch: ask the balance, and believe only a second one."""
        if self._key_check is None and self.stopped_by is None:
            self._key_check = self._query()
            self._key_check.answer.add_done_callback(partial(self._key_checked, error))
            self._asked.appendleft(self._key_check)

    def _key_checked(
        self, error: AuthenticationError, answer: asyncio.Future[BalanceAnswer]
    ) -> None:
        self._key_check = None
        if answer.exception() is not None:  # the client was stopped meanwhile
            return
        match answer.result():
            case Refused(AuthenticationError()):
                self.stop(error)
            case Limited() | Busy():
                self._check_key(error)
        self._alarm.ring()

    def stop_submits(self, not_recorded: JournalError | None) -> None:
        """Without a journal nothing more may be bought; what runs is tracked on.

        Those who join later are told when their own `sending` cannot be recorded.
        """
        if not_recorded is not None:
            self._submits.fail_all(not_recorded)

    def stop(self, error: NanoBananaError) -> None:
        """Send nothing more: fail who waits in line, who asked, and who awaits a task."""
        self.stopped_by = error
        self.stopping.set()
        self._submits.fail_all(error)
        self._submits.give_up_all(self._loop.time())
        self._fail_asked(error, started_until=inf)
        for generation in self._tracker.tasks.values():
            generation.fail_waiters(fresh(error, generation.task_id))

    def cut_off(self, error: NanoBananaError) -> None:
        """The loop has ended. Submits still under way were cut off: nobody knows about them."""
        self.stop(error)
        for generation in self._posts:
            if generation.state is State.SENDING:
                self._submits.lost(generation, error, self._loop.time())
            else:  # the crash was in applying its answer
                generation.fail(fresh(error, generation.task_id))
        self._posts.clear()

    # No connection

    def _connection_lost(self, cause: str, now: float) -> None:
        self._network_cause = cause
        if self._give_up_at == inf and self._connect_patience < inf:
            self._give_up_at = now + self._connect_patience
        # A last probe, so that nobody gives up right after the network came back.
        last_probe_at = self._give_up_at - _LAST_PROBE
        if last_probe_at > now:
            self._gateway.network.hasten(last_probe_at)

    def _give_up(self, now: float) -> None:
        """Fail the calls whose patience is over; each counts from when it began, or the loss."""
        patience = self._connect_patience
        lost_at = self._gateway.network.closed_at
        if lost_at is None:
            self._give_up_at = inf
        elif lost_at + patience > now:  # lost anew since
            self._give_up_at = lost_at + patience
        else:
            reason = f"No connection to the API for {patience:g} s: {self._network_cause}"
            error = APIConnectionError(reason)
            self._submits.fail_all(error, started_until=now - patience)
            self._fail_asked(error, started_until=now - patience)
            # Not the earliest of those who still wait, but soon enough after it.
            self._give_up_at = now + min(1.0, patience)

    def _fail_asked(self, error: NanoBananaError, started_until: float) -> None:
        for query in self._queries:
            if query.started_at <= started_until:
                fail(query.answer, fresh(error))
        for generation in self._tracker.tasks.values():
            generation.fail_lookers(fresh(error, generation.task_id), started_until)
