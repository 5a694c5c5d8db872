"""What every request to the API passes on its way out and back.

Out: room under way, a place in the window ledger, a token, and three gates that trouble closes.
Back: the place is booked by what came of the request, and the gates learn from it.
"""

from __future__ import annotations

import logging
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from math import inf
from random import Random
from typing import Final, Literal, TypeAlias, TypeVar

from attrs import define, field, frozen

from nanobanana_async._codec import Broken, Limited, tells_nothing
from nanobanana_async._counters import Counters
from nanobanana_async._errors import APIConnectionError
from nanobanana_async._gate import Gate
from nanobanana_async._ledger import WindowLedger
from nanobanana_async._pacer import Pacer
from nanobanana_async._rate import LearnedRate
from nanobanana_async._retry import Backoff
from nanobanana_async._slots import Slots
from nanobanana_async._wire import Call, NoAnswerError, NotSentError, Reply, Transport

__all__ = ["Attempt", "Gateway", "Kind", "NotSent"]

_logger = logging.getLogger("nanobanana_async")

UNDER_WAY: Final = 512
"""Requests under way at once, at most."""
FOR_SUBMITS: Final = 64
"""Of these, kept for submits."""

_TROUBLE_AGAIN: Final = Backoff(1.0, 30.0, jitter=0.1)
_RATE_AGAIN: Final = Backoff(1.0, 8.0)
_FIRST_HOLD: Final = 0.1  # a single 429 may be an accident: find out soon
_LONGEST_HOLD: Final = 120.0  # Retry-After is honoured up to here
_PROBES_BEFORE_CUT: Final = 3
_LOOKS_IN_A_ROW: Final = 20
_TASKS_IN_TROUBLE: Final = 3
_MINUTE: Final = 60.0

T = TypeVar("T")

Kind: TypeAlias = Literal["submit", "look", "balance"]


@frozen
class NotSent:
    """No connection was had: the request has certainly not reached the API."""

    cause: str


@frozen
class Attempt:
    """A request that was decided on: it has its token and its place in the ledger."""

    kind: Kind
    sent_at: float
    about: object
    """Whose request it is: one task's looks are told from another's by it."""
    network_probe: int
    """Its number as a probe of the network; 0 where it is none."""
    api_probe: int
    """Likewise, of the API."""
    rate_probe: int
    """Likewise, of the rate."""


@define
class Gateway:
    """Lets requests out as the account's limits, the network and the API's refusals allow."""

    _transport: Transport
    _requests_per_minute: int
    _slots: Slots
    _loop: AbstractEventLoop
    _counters: Counters
    _request_timeout: float
    _random: Random
    network: Gate = field(init=False)
    """Closed while no connection can be had."""
    api: Gate = field(init=False)
    """Closed after many looks in a row that told nothing, until anything is answered well."""
    rate: Gate = field(init=False)
    """Closed after a 429, until a look or a balance query passes."""
    _learned: LearnedRate = field(init=False)
    _ledger: WindowLedger = field(init=False)
    _pacer: Pacer = field(init=False)
    _under_way: dict[Kind, int] = field(init=False)
    # What was refused since the gate of the rate closed: the last submit, and whether a look was.
    _refused_submit: Limited | None = field(default=None, init=False)
    _rate_was_meant: bool = field(default=False, init=False)
    # When answers 429 came, of the last minute.
    _refused_at: deque[float] = field(factory=deque, init=False)
    _failed_looks: int = field(default=0, init=False)
    # Tasks whose looks failed, in the present row; a few are enough.
    _in_trouble: set[object] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.network = Gate(_TROUBLE_AGAIN, self._random)
        self.api = Gate(_TROUBLE_AGAIN, self._random)
        self.rate = Gate(_RATE_AGAIN, self._random)
        requests = self._requests_per_minute
        self._learned = LearnedRate(requests)
        self._ledger = WindowLedger(requests, grace=self._request_timeout)
        self._pacer = Pacer(requests)
        self._under_way = {"submit": 0, "look": 0, "balance": 0}

    @property
    def submitting(self) -> int:
        """Submits under way."""
        return self._under_way["submit"]

    @property
    def cautious(self) -> bool:
        """True while one request at a time finds out whether some trouble is over."""
        return not (self.network.is_open and self.api.is_open and self.rate.is_open)

    @property
    def takes_submits(self) -> bool:
        """False while the rate or the API is in doubt: then a submit is no good probe.

        Refused, it would not tell why; and where its answer gets lost, it may have been paid for.
        """
        return self.api.is_open and self.rate.is_open

    @property
    def takes_looks(self) -> bool:
        """False while looks have all the room that is theirs; the rest is for submits."""
        return self._under_way["look"] < UNDER_WAY - FOR_SUBMITS

    def rate_in_force(self, now: float) -> int:
        """Return the requests a minute that are kept to now; fewer after refusals."""
        return self._learned.in_force(now)

    def left(self, now: float) -> int:
        """Return how many requests the window has room for."""
        self._keep_to_rate(now)
        return max(self._ledger.left(now), 0)

    def opens_at(self, now: float) -> float:
        """From when a request may leave: -inf for now, inf until something comes back."""
        if sum(self._under_way.values()) >= UNDER_WAY:
            return inf
        self._keep_to_rate(now)
        gates = max(self.network.opens_at, self.api.opens_at, self.rate.opens_at)
        return max(gates, self._ledger.free_at(now))

    async def tokens(self) -> int:
        """Wait for tokens of the bucket and take them; each is used at once or lost."""
        return await self._pacer.tokens()

    def begin(self, kind: Kind, now: float, about: object = None) -> Attempt:
        """Book a request in the same step in which it was decided on."""
        self._ledger.take()
        self._under_way[kind] += 1
        self._counters.requests[kind] += 1
        gates = self.network.enter(), self.api.enter(), self.rate.enter()
        return Attempt(kind, now, about, *gates)

    async def exchange(
        self, attempt: Attempt, call: Call, read: Callable[[Reply], T]
    ) -> T | NotSent | Broken:
        """Send one request and return what its answer means; the gates know it by then."""
        try:
            reply = await self._transport.send(call, self._request_timeout)
        except NotSentError as error:
            return self._not_sent(attempt, str(error))
        except NoAnswerError as error:
            return self._no_answer(attempt, str(error))
        except BaseException:  # the client was closed or crashed, and this request cut off
            self._gave_up(attempt)
            raise
        answer = read(reply)
        self._answered(attempt, answer)
        return answer

    def _keep_to_rate(self, now: float) -> None:
        in_force = self._learned.in_force(now)
        if in_force != self._ledger.places:
            self._ledger.places = in_force
            self._pacer.slow_to(in_force)

    # Back

    def _not_sent(self, attempt: Attempt, cause: str) -> NotSent:
        now = self._loop.time()
        self._under_way[attempt.kind] -= 1
        self._counters.requests[attempt.kind] -= 1
        self._ledger.not_sent()
        self.api.probe_told_nothing(attempt.api_probe, now)
        self.rate.probe_told_nothing(attempt.rate_probe, now)
        if self.network.is_open:
            _logger.warning(
                "No connection to the API: %s. Trying on", cause, extra={"cause": cause}
            )
            self.network.close(now)
        else:
            self.network.probe_failed(attempt.network_probe, now)
        return NotSent(cause)

    def _no_answer(self, attempt: Attempt, cause: str) -> Broken:
        self._gave_up(attempt)
        answer = Broken(APIConnectionError(f"The connection broke: {cause}", advice=""))
        self._learn(attempt, answer, self._loop.time())
        return answer

    def _gave_up(self, attempt: Attempt) -> None:
        self._under_way[attempt.kind] -= 1
        self._ledger.given_up(self._loop.time())

    def _answered(self, attempt: Attempt, answer: object) -> None:
        now = self._loop.time()
        self._under_way[attempt.kind] -= 1
        self._ledger.answered(now)
        self._learn(attempt, answer, now)

    def _learn(self, attempt: Attempt, answer: object, now: float) -> None:
        """There was a connection, whatever came of it."""
        if not self.network.is_open:
            _logger.warning("Connected to the API again")
            self.network.open()
        self._learn_of_api(attempt, answer, now)
        if isinstance(answer, Limited):
            self._refused(attempt, answer, now)
        elif isinstance(answer, Broken):
            self.rate.probe_told_nothing(attempt.rate_probe, now)
        elif attempt.rate_probe:
            self._passed(now)

    # Whether the API is there at all

    def _learn_of_api(self, attempt: Attempt, answer: object, now: float) -> None:
        if not tells_nothing(answer):
            self._failed_looks = 0
            self._in_trouble.clear()
            if not self.api.is_open:
                _logger.warning("The API answers again")
                self.api.open()
        elif not self.api.is_open:
            self.api.probe_failed(attempt.api_probe, now)
        elif attempt.kind == "look":
            self._look_failed(attempt, now)

    def _look_failed(self, attempt: Attempt, now: float) -> None:
        """One task's looks may fail for a reason of its own; those of several do not."""
        self._failed_looks += 1
        if len(self._in_trouble) < _TASKS_IN_TROUBLE:
            self._in_trouble.add(attempt.about)
        if self._failed_looks >= _LOOKS_IN_A_ROW and len(self._in_trouble) >= _TASKS_IN_TROUBLE:
            _logger.warning("The API gives no useful answer any more. Trying on, slowly")
            self.api.close(now)

    # What a 429 means

    def _refused(self, attempt: Attempt, answer: Limited, now: float) -> None:
        """Hold everything for a moment, then let a probe find out what was meant."""
        self._counters.refusals += 1
        self._note_refusal(now)
        asked = min(answer.retry_after or 0.0, _LONGEST_HOLD)
        _logger.info(
            "The API refused a %s (429)",
            attempt.kind,
            extra={"kind": attempt.kind, "retry_after": answer.retry_after},
        )
        self._learned.refused(now)
        if attempt.kind == "submit":
            self._slots.doubt(attempt.about)
            self._refused_submit = answer
            self.rate.close(now, 0.0)  # the probe is no submit, and tells at once
            return
        self._rate_was_meant = True
        if attempt.rate_probe:
            self.rate.probe_failed(attempt.rate_probe, now, asked)
            if self.rate.failures == _PROBES_BEFORE_CUT:
                self._cut(now)
        else:
            self.rate.close(now, asked or _FIRST_HOLD)

    def _note_refusal(self, now: float) -> None:
        self._refused_at.append(now)
        while self._refused_at[0] <= now - _MINUTE:
            self._refused_at.popleft()

    def _cut(self, now: float) -> None:
        """No accident: keep to what the API lets in."""
        let_in = self._ledger.answered_within_window(now) - len(self._refused_at)
        self._learned.cut(let_in)
        _logger.warning(
            "The API refuses requests below the limit; keeping to %d a minute for now",
            self._learned.in_force(now),
            extra={"requests_per_minute": self._learned.in_force(now)},
        )

    def _passed(self, now: float) -> None:
        """A probe was answered. If only submits were refused before it, no place was free."""
        if self.rate.failures >= _PROBES_BEFORE_CUT:
            self._pacer.empty()  # a burst after the hold would be refused again
        self.rate.open()
        self._learned.thaw(now)
        submit, self._refused_submit = self._refused_submit, None
        rate_was_meant, self._rate_was_meant = self._rate_was_meant, False
        if submit is None:
            return
        if rate_was_meant:
            self._slots.doubt_dismissed()
        else:
            self._slots.doubt_judged(now, min(submit.retry_after or 0.0, _LONGEST_HOLD))
