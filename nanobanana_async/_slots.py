"""The places for running tasks: as many as the account has, or fewer while the API says so.

A slot is held from before the submit leaves until the task is seen finished: the server still
counts a task that its caller has forgotten. A submit whose answer was lost may be running, so it
keeps its slot for a while. A task picked up by its id never waits for a slot, but counts.

The API may let fewer tasks run than the account should have: another process uses the same key, or
places are freed late. A single submit that is refused may be an accident. Where several of the last
ones were, the number in force comes down to what holds a slot without them. From then on one submit
at a time finds out whether there is room for one more: at once after an accepted one, ever less
often while they are refused. Where the user allows it, submits go beyond a full account as well
(`_optimism`), as long as all its places are granted.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from random import Random
from typing import Final

import anyio
from attrs import define, field

from nanobanana_async._optimism import Optimism
from nanobanana_async._retry import Backoff

__all__ = ["Slots"]

# Without a pause each token buys a refusal while another process holds the places.
_PAUSE: Final = 0.5
_CALM: Final = 60.0
_FULL: Final = 0.9
_FORGOTTEN: Final = 600.0  # seconds after the last refusal from which all places count again
_STEPS: Final = 16  # accepted submits beyond the number in force until it grows faster
# Refusals among the last answers to submits that are no accident any more.
_NO_ACCIDENT: Final = 3
_LAST: Final = 12
_BEYOND_AGAIN: Final = Backoff(1.0, 8.0, jitter=0.1)


@define(eq=False, repr=False)
class Slots:
    """`limit` places; each belongs to whatever object holds it."""

    limit: int
    _random: Random
    optimistic: bool = False
    """Whether submits may go beyond the slots that are known to be free."""
    _granted: float = field(default=inf, init=False)
    """Places that the API grants, as was learned from refusals; inf where it grants all."""
    _places: anyio.CapacityLimiter = field(init=False)
    _optimism: Optimism = field(init=False)
    _adopted: set[object] = field(factory=set, init=False)
    # Unknown submits by the times at which they give their slots back; the number breaks ties.
    _unknown: list[tuple[float, int, object]] = field(factory=list, init=False)
    _numbers: count[int] = field(factory=count, init=False)
    _before_doubt: float | None = field(default=None, init=False)
    """What was granted before refusals of which it is not known yet what they meant."""
    _doubts: int = field(default=0, init=False)
    """How many these are."""
    _was_full: bool = field(default=False, init=False)
    """Whether nearly all slots were held when the first of them came."""
    _refused_at: float = field(default=-inf, init=False)
    # Of the last answers to submits, whether they were refusals.
    _last_refused: deque[bool] = field(factory=lambda: deque(maxlen=_LAST), init=False)
    _refusals: int = field(default=0, init=False)
    """Refusals in a row for want of a place, with no acceptance beyond the number in force."""
    _widenings: int = field(default=0, init=False)
    """Submits beyond the number in force that were accepted since the last refusal."""
    _paused_until: float = field(default=-inf, init=False)
    _beyond_from: float = field(default=-inf, init=False)
    _beyond: object | None = field(default=None, init=False)
    """Whose submit is under way beyond the number in force; one at a time."""
    _beyond_refused: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._optimism = Optimism(self.limit, self.optimistic, self._random)
        self._places = anyio.CapacityLimiter(self.most)

    @property
    def in_force(self) -> int:
        """Places that the API grants at the moment, as far as is known; at most `limit`."""
        return int(min(self._granted, self.limit))

    def _grant(self, number: float) -> None:
        self._granted = number if number < self.limit else inf

    @property
    def most(self) -> int:
        """Slots that can ever be held: more than `limit` where optimistic."""
        return self.limit + self._optimism.most

    @property
    def held(self) -> int:
        """Slots that are taken, those of adopted tasks included."""
        return self._places.borrowed_tokens + len(self._adopted)

    @property
    def left(self) -> int:
        """Tasks that could be submitted now."""
        return max(self.in_force - self.held, 0)

    @property
    def unknown(self) -> int:
        """Slots held by submits whose answer was lost."""
        return len(self._unknown)

    def free_at(self) -> float:
        """From when a slot may be taken: -inf for now, inf until one is given back."""
        if self.held < self.in_force:
            return self._paused_until
        if self.in_force == self.limit:
            return max(self._optimism.free_at(self.held - self.limit), self._paused_until)
        if self.held >= self.limit:
            return inf
        return self._beyond_from if self._beyond is None else inf

    def take(self, holder: object) -> None:
        """Give a slot to `holder`; the caller has looked at `free_at` in this same step."""
        if self.held >= self.limit:
            self._optimism.take(holder)
        elif self.held >= self.in_force:
            self._beyond = holder
        self._places.acquire_on_behalf_of_nowait(holder)

    def accepted(self, holder: object) -> None:
        """The API accepted the submit of `holder`."""
        self._last_refused.append(False)
        # Where more are held than that, the limit has come down: nothing is learned from it.
        full = 0 <= self.held - self.limit <= self._optimism.room
        self._optimism.accepted(holder, full=full)
        if holder is self._beyond:
            self._beyond = None
            self._refusals = 0
            self._beyond_from = -inf
            self._widenings += 1
            wider = max(self.in_force, self.held) + self._widenings // _STEPS
            self._grant(wider)

    def release(self, holder: object) -> None:
        """Take a slot back; no harm where `holder` has none, for it was taken as stuck before."""
        self._not_beyond(holder)
        if holder in self._adopted:
            self._adopted.remove(holder)
        else:
            with suppress(RuntimeError):
                self._places.release_on_behalf_of(holder)

    def _not_beyond(self, holder: object) -> None:
        self._optimism.forget(holder)
        if holder is self._beyond:
            self._beyond = None

    def resize(self, limit: int, *, optimistic: bool) -> None:
        """The account has another number of slots now; a lower one that was learned stays.

        Where more are held, none is free until there are fewer.
        """
        self.limit, self.optimistic = limit, optimistic
        self._optimism.resize(limit, enabled=optimistic)
        self._places.total_tokens = self.most

    def adopt(self, holder: object) -> None:
        """Count a running task that was submitted by somebody else."""
        self._adopted.add(holder)

    def completed(self, now: float) -> None:
        """A task was seen finished: after a while without refusals, one place more."""
        if now - self._refused_at >= _CALM and self._before_doubt is None:
            self._grant(self.in_force + 1)

    # Submits whose answer was lost

    def replace(self, holder: object, by: object) -> None:
        """Give the slot of `holder` to another object, though more than the limit may be held."""
        self.release(holder)
        # After `resize` there may be no place to acquire, not even the one just given back.
        self._places.total_tokens = max(self.most, self._places.borrowed_tokens + 1)
        self._places.acquire_on_behalf_of_nowait(by)
        self._places.total_tokens = self.most

    def keep(self, holder: object, until: float) -> None:
        """Let an unknown submit hold its slot until then."""
        self._not_beyond(holder)
        heappush(self._unknown, (until, next(self._numbers), holder))

    def found(self, holder: object) -> None:
        """It turned out to be running: it has its slot for as long as any other."""
        self._unknown = [entry for entry in self._unknown if entry[2] is not holder]
        heapify(self._unknown)

    def next_expiry(self) -> float:
        """When the next unknown submit gives its slot back; inf where there is none."""
        return self._unknown[0][0] if self._unknown else inf

    def expire(self, now: float) -> None:
        """Free the slots of unknown submits whose time is over, and forget old refusals."""
        if now - self._refused_at >= _FORGOTTEN and self._before_doubt is None:
            self._granted = inf
        while self._unknown and self._unknown[0][0] <= now:
            self.release(heappop(self._unknown)[2])

    # Submits that were refused with 429

    def refused_beyond(self, holder: object, now: float, wait: float) -> bool:
        """True where it was a submit beyond all slots: no place was free, and nothing else is said.

        `wait` is what the API asked for in seconds, 0 where it did not.
        """
        return self._optimism.refused(holder, now, wait)

    def doubt(self, holder: object) -> None:
        """The submit of `holder`, which still has its slot, was refused: for want of a place, or
        for the rate.

        Each takes away one place more than what is held without it: fifty that were under way
        together cost just the fifty that there was no room for.
        """
        if self._before_doubt is None:
            self._before_doubt = self._granted
            self._was_full = self.held >= _FULL * self.in_force
        self._doubts += 1
        self._last_refused.append(True)
        self._widenings = 0
        self._beyond_refused |= holder is self._beyond
        self._granted = max(min(self.in_force, self.held) - 1, 0)

    def doubt_judged(self, now: float, wait: float) -> None:
        """The rate was not meant; so there was no place, or it was an accident.

        An accident costs one place, too, where nearly all were held: if it was none, the next
        submit may be no refusal. `wait` is what the API asked for in seconds, 0 where it did not.
        """
        self._refused_at = now
        accident = sum(self._last_refused) < _NO_ACCIDENT and not self._beyond_refused
        if accident and self._before_doubt is not None:
            cost = self._doubts if self._was_full else 0
            self._grant(max(self.in_force, min(self._before_doubt, self.limit) - cost))
        self._end_doubt()
        if accident:
            self._paused_until = max(self._paused_until, now + wait)
            self._beyond_from = max(self._beyond_from, now + wait)
            return
        self._last_refused.clear()
        self._refusals += 1
        self._paused_until = max(self._paused_until, now + _PAUSE, now + wait)
        again = _BEYOND_AGAIN.delay(self._refusals, self._random)
        self._beyond_from = max(now + again, self._paused_until)

    def doubt_dismissed(self) -> None:
        """It was the rate: as many places as before."""
        if self._before_doubt is not None:
            self._granted = self._before_doubt
        self._end_doubt()

    def _end_doubt(self) -> None:
        self._before_doubt, self._doubts, self._beyond_refused = None, 0, False
