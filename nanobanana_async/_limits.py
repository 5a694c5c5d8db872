"""What an account may do at once, and the two things that hold a client to it.

How the API counts its minute is not documented, so the client has to be safe under every way of
counting. Two mechanisms together are: the pacer spreads requests out, and the window ledger (a
module of its own) makes up for what a network does to the spacing on the way.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from math import inf
from typing import Any

from aiolimiter import AsyncLimiter
from anyio import CapacityLimiter
from attrs import Attribute, define, field, frozen

__all__ = ["Limits", "Pacer", "Slots", "burst_of"]


def _whole_number_from(least: int) -> Any:
    def check(_: Any, attribute: Attribute[int], value: Any) -> None:
        if type(value) is not int or value < least:
            raise ValueError(f"{attribute.name} must be a whole number of at least {least}")

    return check


@frozen
class Limits:
    """Limits of an account, as the vendor states them. `ValueError` for what nobody could keep."""

    requests_per_minute: int = field(default=10_000, validator=_whole_number_from(2))
    """Requests a minute, submits and status checks together; at least 2."""
    concurrent_tasks: int = field(default=1_000, validator=_whole_number_from(1))
    """Tasks running at once; at least 1."""


def burst_of(requests_per_minute: int) -> float:
    """Return how many requests may leave at once: B = clamp(R / 1000, 1, 8).

    A bucket of depth B and rate r lets B + 60 r requests into a minute. With B = R, as in
    ``AsyncLimiter(10000, 60)``, that is twice the limit. With r = (R - B) / 60 it is exactly R.
    The rate is reached in full with timers of a millisecond where B is 8; B = 1 loses 9 % there.
    """
    return min(max(requests_per_minute / 1000, 1.0), 8.0)


class Pacer:
    """The token bucket. It has one waiter, the dispatcher: aiolimiter does not serve in order."""

    def __init__(self, requests_per_minute: int) -> None:
        burst = burst_of(requests_per_minute)
        rate = (requests_per_minute - burst) / 60
        self._limiter = AsyncLimiter(burst, burst / rate)
        # Half the bucket: the other half makes up for a timer that is late.
        self._batch = max(int(burst / 2), 1)

    async def tokens(self) -> int:
        """Take one token if there is one, else wait for a batch of them; return how many.

        At full rate one wake-up for four requests costs a third less CPU than one for each, and
        delays none of them by more than 20 ms. Tokens that are not used at once are to be dropped:
        saved up, they would make the bucket deeper.
        """
        count = 1 if self._limiter.has_capacity() else self._batch
        await self._limiter.acquire(count)
        return count


@define
class Slots:
    """The places for running tasks.

    A slot is held from before the submit leaves until the task is seen finished: the server still
    counts a task that its caller has forgotten. A submit whose answer was lost may be running, so
    it keeps its slot for a while. A task picked up by its id never waits for a slot, but counts.
    """

    _limiter: CapacityLimiter
    _adopted: set[object] = field(factory=set, init=False)
    # Unknown submits with the times at which they give their slots back, in order of time.
    _unknown: deque[tuple[float, object]] = field(factory=deque, init=False)

    @property
    def left(self) -> int:
        """Tasks that could be submitted now."""
        return max(int(self._limiter.available_tokens) - len(self._adopted), 0)

    @property
    def unknown(self) -> int:
        """Slots held by submits whose answer was lost."""
        return len(self._unknown)

    def take(self, holder: object) -> None:
        """Give a free slot to `holder`; the caller has looked at `left` in this same step."""
        self._limiter.acquire_on_behalf_of_nowait(holder)

    def release(self, holder: object) -> None:
        """Take a slot back; no harm where `holder` has none, for it was taken as stuck before."""
        if holder in self._adopted:
            self._adopted.remove(holder)
        else:
            with suppress(RuntimeError):
                self._limiter.release_on_behalf_of(holder)

    def adopt(self, holder: object) -> None:
        """Count a running task that was submitted by somebody else."""
        self._adopted.add(holder)

    def keep(self, holder: object, until: float) -> None:
        """Let an unknown submit hold its slot until then; calls come in order of `until`."""
        self._unknown.append((until, holder))

    def next_expiry(self) -> float:
        """When the next unknown submit gives its slot back; inf where there is none."""
        return self._unknown[0][0] if self._unknown else inf

    def expire(self, now: float) -> None:
        """Free the slots of unknown submits whose time is over."""
        while self._unknown and self._unknown[0][0] <= now:
            self._limiter.release_on_behalf_of(self._unknown.popleft()[1])
