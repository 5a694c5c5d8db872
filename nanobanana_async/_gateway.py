"""What every request to the API passes on its way out and back.

Out: room under way, a place in the window ledger, a token, and two gates that trouble closes. Back:
the place is booked by what came of the request, and the gates learn from it.
"""

from __future__ import annotations

import logging
from asyncio import AbstractEventLoop
from collections.abc import Callable
from math import inf
from random import Random
from typing import Final, Literal, TypeAlias, TypeVar

from attrs import define, field, frozen

from nanobanana_async._codec import Broken, Limited
from nanobanana_async._counters import Counters
from nanobanana_async._errors import APIConnectionError
from nanobanana_async._gate import Gate
from nanobanana_async._ledger import WindowLedger
from nanobanana_async._limits import Limits, Pacer
from nanobanana_async._retry import Backoff
from nanobanana_async._wire import Call, NoAnswerError, NotSentError, Reply, Transport

__all__ = ["Attempt", "Gateway", "Kind", "NotSent"]

_logger = logging.getLogger("nanobanana_async")

UNDER_WAY: Final = 512
"""Requests under way at once, at most."""
FOR_SUBMITS: Final = 64
"""Of these, kept for submits."""

_CONNECT_AGAIN: Final = Backoff(1.0, 30.0, jitter=0.1)
_RATE_AGAIN: Final = Backoff(1.0, 8.0)
_FIRST_HOLD: Final = 0.1  # a single 429 may be an accident: find out soon
_LONGEST_HOLD: Final = 120.0  # Retry-After is honoured up to here
_SUBMIT_PAUSE: Final = 0.5  # without it each token buys a refusal while another process holds slots

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
    network_probe: int
    """Its number as a probe of the network; 0 where it is none."""
    rate_probe: int
    """Likewise, of the rate."""


@define
class Gateway:
    """Lets requests out as the account's limits, the network and the API's refusals allow."""

    _transport: Transport
    _limits: Limits
    _loop: AbstractEventLoop
    _counters: Counters
    _request_timeout: float
    _random: Random
    network: Gate = field(init=False)
    """Closed while no connection can be had."""
    rate: Gate = field(init=False)
    """Closed after a 429, until a look or a balance query passes."""
    submits_from: float = field(default=-inf, init=False)
    """From when submits may go out again after one was refused."""
    _submit_was_refused: bool = field(default=False, init=False)
    _ledger: WindowLedger = field(init=False)
    _pacer: Pacer = field(init=False)
    _under_way: dict[Kind, int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.network = Gate(_CONNECT_AGAIN, self._random)
        self.rate = Gate(_RATE_AGAIN, self._random)
        requests = self._limits.requests_per_minute
        self._ledger = WindowLedger(requests, grace=self._request_timeout)
        self._pacer = Pacer(requests)
        self._under_way = {"submit": 0, "look": 0, "balance": 0}

    @property
    def submitting(self) -> int:
        """Submits under way."""
        return self._under_way["submit"]

    @property
    def cautious(self) -> bool:
        """True while one request at a time finds out whether the trouble is over."""
        return not (self.network.is_open and self.rate.is_open)

    @property
    def takes_looks(self) -> bool:
        """False while looks have all the room that is theirs; the rest is for submits."""
        return self._under_way["look"] < UNDER_WAY - FOR_SUBMITS

    def left(self, now: float) -> int:
        """Return how many requests the window has room for."""
        return self._ledger.left(now)

    def opens_at(self, now: float) -> float:
        """From when a request may leave: -inf for now, inf until something comes back."""
        if sum(self._under_way.values()) >= UNDER_WAY:
            return inf
        return max(self.network.opens_at, self.rate.opens_at, self._ledger.free_at(now))

    async def tokens(self) -> int:
        """Wait for tokens of the bucket and take them; each is used at once or lost."""
        return await self._pacer.tokens()

    def begin(self, kind: Kind, now: float) -> Attempt:
        """Book a request in the same step in which it was decided on."""
        self._ledger.take()
        self._under_way[kind] += 1
        self._counters.requests[kind] += 1
        return Attempt(kind, now, self.network.enter(), self.rate.enter())

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
        answer = read(reply)
        self._answered(attempt, answer)
        return answer

    def _not_sent(self, attempt: Attempt, cause: str) -> NotSent:
        now = self._loop.time()
        self._under_way[attempt.kind] -= 1
        self._counters.requests[attempt.kind] -= 1
        self._ledger.not_sent()
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
        now = self._loop.time()
        self._under_way[attempt.kind] -= 1
        self._ledger.given_up(now)
        self.rate.probe_told_nothing(attempt.rate_probe, now)
        self._connected()
        return Broken(APIConnectionError(f"The connection broke: {cause}", advice=""))

    def _answered(self, attempt: Attempt, answer: object) -> None:
        now = self._loop.time()
        self._under_way[attempt.kind] -= 1
        self._ledger.answered(now)
        self._connected()
        if isinstance(answer, Limited):
            self._refused(attempt, answer, now)
        elif attempt.rate_probe:
            self._passed(now)

    def _connected(self) -> None:
        """Whatever came of a request that had a connection: the network is there again."""
        if not self.network.is_open:
            _logger.warning("Connected to the API again")
            self.network.open()

    def _refused(self, attempt: Attempt, answer: Limited, now: float) -> None:
        """Hold everything for a moment, then let a probe find out whether it was an accident."""
        self._counters.refusals += 1
        if attempt.kind == "submit":
            self._submit_was_refused = True
        hold = answer.retry_after if answer.retry_after is not None else _FIRST_HOLD
        hold = min(hold, _LONGEST_HOLD)
        _logger.info(
            "The API refused a %s (429)", attempt.kind, extra={"kind": attempt.kind, "hold": hold}
        )
        if attempt.rate_probe:
            self.rate.probe_failed(attempt.rate_probe, now, hold)
        else:
            self.rate.close(now, hold)

    def _passed(self, now: float) -> None:
        """The probe was answered. If a submit was refused before it, concurrency was meant."""
        self.rate.open()
        if self._submit_was_refused:
            self._submit_was_refused = False
            self.submits_from = now + _SUBMIT_PAUSE
