"""What every request to the API passes on its way out and back.

Out: room under way, a place in the window ledger, a token, and three gates that trouble closes.
Back: the place is booked by what came of the request, and the gates learn from it.
"""

from __future__ import annotations

import logging
from asyncio import AbstractEventLoop
from collections.abc import Callable
from math import inf
from random import Random
from typing import Final, Literal, TypeAlias, TypeVar

from attrs import define, field, frozen

from nanobanana_async._codec import Broken, Limited, tells_nothing
from nanobanana_async._counters import Counters
from nanobanana_async._errors import APIConnectionError
from nanobanana_async._gate import Gate
from nanobanana_async._health import Health
from nanobanana_async._ledger import WindowLedger
from nanobanana_async._pacer import Pacer
from nanobanana_async._refusals import Refusals
from nanobanana_async._retry import Backoff
from nanobanana_async._slots import Slots
from nanobanana_async._wire import Call, NoAnswerError, NotSentError, Reply, Transport

__all__ = ["Attempt", "Gateway", "Kind", "NotSent"]

_logger = logging.getLogger("nanobanana_async")

UNDER_WAY: Final = 512
"""Requests under way at once, at most."""
FOR_SUBMITS: Final = 64
"""Of these, kept for submits."""

_PROBES_A_SUBMIT: Final = 4
_CONNECT_AGAIN: Final = Backoff(1.0, 30.0, jitter=0.1)

T = TypeVar("T")

Kind: TypeAlias = Literal["submit", "look", "balance"]


@frozen(eq=False, repr=False)
class NotSent:
    """No connection was had: the request has certainly not reached the API."""

    cause: str


@frozen(eq=False, repr=False)
class Attempt:
    """A request that was decided on: it has its token and its place in the ledger."""

    kind: Kind
    sent_at: float
    about: object
    """Whose request it is: one task's looks are told from another's by it."""
    network_probe: int
    """Its number as a probe of the network; 0 where it is none."""
    health_probe: int
    """Likewise, of whether the API is there at all."""
    rate_probe: int
    """Likewise, of the rate."""


@define(eq=False, repr=False)
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
    health: Health = field(init=False)
    refusals: Refusals = field(init=False)
    _ledger: WindowLedger = field(init=False)
    _pacer: Pacer = field(init=False)
    _under_way: dict[Kind, int] = field(init=False)
    _probes_in_vain: int = field(default=0, init=False)
    """Probes of the API or the rate that were sent since the last good answer."""

    def __attrs_post_init__(self) -> None:
        requests = self._requests_per_minute
        self._ledger = WindowLedger(requests, grace=self._request_timeout)
        self._pacer = Pacer(requests)
        self.network = Gate(_CONNECT_AGAIN, self._random)
        self.health = Health(self._random)
        self.refusals = Refusals(requests, self._slots, self._ledger, self._pacer, self._random)
        self._under_way = {"submit": 0, "look": 0, "balance": 0}

    @property
    def submitting(self) -> int:
        """Submits under way."""
        return self._under_way["submit"]

    @property
    def cautious(self) -> bool:
        """True while one request at a time finds out whether some trouble is over."""
        return not all(gate.is_open for gate in self._gates)

    @property
    def submit_is_probe(self) -> bool:
        """True where looks and balance queries have told nothing several times in a row.

        A submit is no good probe: refused, it does not tell why; its answer lost, it may have been
        paid for. But where nothing else is ever answered, only it can find out: it is every fourth.
        """
        return self._probes_in_vain % _PROBES_A_SUBMIT == _PROBES_A_SUBMIT - 1

    @property
    def takes_submits(self) -> bool:
        """False while the rate or the API is in doubt, unless a submit is to find out."""
        in_doubt = not (self.health.gate.is_open and self.refusals.gate.is_open)
        return not in_doubt or self.submit_is_probe

    @property
    def takes_looks(self) -> bool:
        """False while looks have all the room that is theirs; the rest is for submits."""
        return self._under_way["look"] < UNDER_WAY - FOR_SUBMITS

    def rate_in_force(self, now: float) -> int:
        """Return the requests a minute that are kept to now; fewer after refusals."""
        return self.refusals.rate_in_force(now)

    def configure(self, requests_per_minute: int) -> None:
        """The account has another limit now."""
        if requests_per_minute != self._requests_per_minute:
            self._requests_per_minute = requests_per_minute
            self.refusals.configure(requests_per_minute, self._loop.time())

    def left(self, now: float) -> int:
        """Return how many requests the window has room for."""
        self.rate_in_force(now)  # the ledger follows it
        return max(self._ledger.left(now), 0)

    def opens_at(self, now: float) -> float:
        """From when a request may leave: -inf for now, inf until something comes back."""
        if sum(self._under_way.values()) >= UNDER_WAY:
            return inf
        self.rate_in_force(now)  # the ledger follows it
        return max(*(gate.opens_at for gate in self._gates), self._ledger.free_at(now))

    async def tokens(self) -> int:
        """Wait for tokens of the bucket and take them; each is used at once or lost."""
        return await self._pacer.tokens()

    def begin(self, kind: Kind, now: float, about: object = None) -> Attempt:
        """Book a request in the same step in which it was decided on."""
        self._ledger.take()
        self._under_way[kind] += 1
        self._counters.requests[kind] += 1
        return Attempt(kind, now, about, *(gate.enter() for gate in self._gates))

    def withdraw(self, attempt: Attempt, now: float) -> None:
        """It is not sent after all: give back what `begin` took."""
        self._take_back(attempt, now)
        self.network.probe_told_nothing(attempt.network_probe, now)

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

    @property
    def _gates(self) -> tuple[Gate, Gate, Gate]:
        return self.network, self.health.gate, self.refusals.gate

    # Back

    def _not_sent(self, attempt: Attempt, cause: str) -> NotSent:
        now = self._loop.time()
        self._take_back(attempt, now)
        if self.network.is_open:
            _logger.warning(
                "No connection to the API: %s. Trying on", cause, extra={"cause": cause}
            )
            self.network.close(now)
        else:
            self.network.probe_failed(attempt.network_probe, now)
        return NotSent(cause)

    def _take_back(self, attempt: Attempt, now: float) -> None:
        self._under_way[attempt.kind] -= 1
        self._counters.requests[attempt.kind] -= 1
        self._ledger.not_sent()
        self.health.gate.probe_told_nothing(attempt.health_probe, now)
        self.refusals.gate.probe_told_nothing(attempt.rate_probe, now)

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
        self._learn_of_health(attempt, answer, now)
        if attempt.health_probe or attempt.rate_probe:
            self._probes_in_vain += 1
        if isinstance(answer, Limited):
            self._refused(attempt, answer, now)
        elif isinstance(answer, Broken):
            self.refusals.gate.probe_told_nothing(attempt.rate_probe, now)
        elif attempt.rate_probe:
            self.refusals.passed(now)
        if not self.cautious:
            self._probes_in_vain = 0

    def _learn_of_health(self, attempt: Attempt, answer: object, now: float) -> None:
        if not tells_nothing(answer):
            self.health.good()
        elif not self.health.gate.is_open:
            self.health.probe_failed(attempt.health_probe, now)
        elif attempt.kind == "look":
            self.health.look_failed(attempt.about, now)

    def _refused(self, attempt: Attempt, answer: Limited, now: float) -> None:
        self._counters.refusals += 1
        _logger.info(
            "The API refused a %s (429)",
            attempt.kind,
            extra={"kind": attempt.kind, "retry_after": answer.retry_after},
        )
        if attempt.kind == "submit":
            self.refusals.submit_refused(attempt.about, attempt.rate_probe, answer, now)
        else:
            self.refusals.other_refused(attempt.rate_probe, answer, now)
