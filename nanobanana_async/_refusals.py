"""What a 429 means: an accident, the rate, or no free place. The API does not say.

Everything is held for a moment; then a look, or a balance query, finds out. Answered, it clears the
rate: then a submit that was refused before found no place. Refused as well, the rate was meant, and
after several refused probes in a row the number of requests a minute is cut. Pure: the time is
handed in.
"""

from __future__ import annotations

import logging
from collections import deque
from random import Random
from typing import Final

from attrs import define, field

from nanobanana_async._codec import Limited
from nanobanana_async._gate import Gate
from nanobanana_async._ledger import WindowLedger
from nanobanana_async._pacer import Pacer
from nanobanana_async._rate import LearnedRate
from nanobanana_async._retry import Backoff
from nanobanana_async._slots import Slots

__all__ = ["Refusals"]

_logger = logging.getLogger("nanobanana_async")

_AGAIN: Final = Backoff(1.0, 8.0)
_FIRST_HOLD: Final = 0.1  # a single 429 may be an accident: find out soon
_LONGEST_HOLD: Final = 120.0  # Retry-After is honoured up to here
_PROBES_BEFORE_CUT: Final = 3
_NO_ACCIDENT: Final = 3  # refusals together, where the rate had been cut before
_STEPS_BACK: Final = 2  # requests a minute for each of them
_MINUTE: Final = 60.0


@define(eq=False, repr=False)
class Refusals:
    """Judges them, and keeps the rate and the slots to what the API grants."""

    _requests_per_minute: int
    _slots: Slots
    _ledger: WindowLedger
    _pacer: Pacer
    _random: Random
    gate: Gate = field(init=False)
    """Closed after a 429, until a look or a balance query passes."""
    _learned: LearnedRate = field(init=False)
    # What was refused since the gate closed: the last submit, and whether anything else was.
    _submit: Limited | None = field(default=None, init=False)
    _rate_was_meant: bool = field(default=False, init=False)
    _together: int = field(default=0, init=False)
    """Refusals since the gate closed."""
    # When answers 429 came, of the last minute.
    _refused_at: deque[float] = field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        self.gate = Gate(_AGAIN, self._random)
        self._learned = LearnedRate(self._requests_per_minute)

    def rate_in_force(self, now: float) -> int:
        """Return the requests a minute to keep to now; ledger and pacer follow it."""
        in_force = self._learned.in_force(now)
        if in_force != self._ledger.places:
            self._ledger.places = in_force
            self._pacer.slow_to(in_force)
        return in_force

    def configure(self, requests_per_minute: int, now: float) -> None:
        """The account has another limit now."""
        self._learned.configure(requests_per_minute)
        self._pacer.reset(requests_per_minute)
        self._ledger.places = self._learned.in_force(now)
        self._pacer.slow_to(self._ledger.places)

    def submit_refused(self, holder: object, probe: int, answer: Limited, now: float) -> None:
        """The submit of `holder`, which still has its slot, was refused."""
        if not probe and self._slots.refused_beyond(holder, now, _asked_by(answer)):
            return
        self._note(now)
        self._slots.doubt(holder)
        self._submit = answer
        if probe:
            self.gate.probe_failed(probe, now, _asked_by(answer))
        else:
            self.gate.close(now, 0.0)  # the probe is no submit, and tells at once

    def other_refused(self, probe: int, answer: Limited, now: float) -> None:
        """A look or a balance query was refused: the rate is meant."""
        self._note(now)
        self._rate_was_meant = True
        asked = _asked_by(answer)
        if not probe:
            self.gate.close(now, asked or _FIRST_HOLD)
            return
        self.gate.probe_failed(probe, now, asked)
        if self.gate.failures == _PROBES_BEFORE_CUT:
            self._cut(now)

    def passed(self, now: float) -> None:
        """A probe was answered. If only submits were refused before it, no place was free."""
        if self.gate.failures >= _PROBES_BEFORE_CUT:
            self._pacer.empty()  # a burst after the hold would be refused again
        self.gate.open()
        if self._rate_was_meant and self._together >= _NO_ACCIDENT:
            self._learned.ease(_STEPS_BACK * self._together)
        self._together = 0
        self._learned.thaw(now)
        submit, self._submit = self._submit, None
        rate_was_meant, self._rate_was_meant = self._rate_was_meant, False
        if rate_was_meant:
            self._slots.doubt_dismissed()
        elif submit is not None:
            self._slots.doubt_judged(now, _asked_by(submit))

    def _note(self, now: float) -> None:
        self._learned.refused(now)
        self._together += 1
        self._refused_at.append(now)
        while self._refused_at[0] <= now - _MINUTE:
            self._refused_at.popleft()

    def _cut(self, now: float) -> None:
        """No accident: keep to what the API lets in."""
        let_in = self._ledger.answered_within_window(now) - len(self._refused_at)
        self._learned.cut(let_in)
        in_force = self.rate_in_force(now)
        _logger.warning(
            "The API refuses requests below the limit; keeping to %d a minute for now",
            in_force,
            extra={"requests_per_minute": in_force},
        )


def _asked_by(answer: Limited) -> float:
    """Return the seconds of its Retry-After, 0 where there is none."""
    return min(answer.retry_after or 0.0, _LONGEST_HOLD)
