"""The window ledger: no window of 60 s at the server ever holds more than the limit.

Pacing at the client cannot promise that alone: a network that stalls and then delivers two seconds
of requests at once adds to what the server counts. So each request takes one of as many places as
the limit has, and the place is free again 60 s after the request's ANSWER came. The server counted
the request before it answered, so whichever way it counts its minute, it never sees more requests
in one than there are places. Pure: the time is handed in.
"""

from __future__ import annotations

from collections import deque
from math import inf

from attrs import define, field

__all__ = ["WindowLedger"]


@define(eq=False, repr=False)
class WindowLedger:
    """`places` requests in any `window` seconds.

    Args:
        places: requests that one window holds; may be set anew at any time.
        grace: seconds after giving up on an answer in which the server may still count the request.
        window: seconds.
    """

    places: int
    grace: float
    window: float = 60.0
    _under_way: int = field(default=0, init=False)
    # When places are free again. Two lines, each in order of time, since the time handed in only
    # grows and each line adds a constant to it.
    _answered: deque[float] = field(factory=deque, init=False)
    _given_up: deque[float] = field(factory=deque, init=False)

    def left(self, now: float) -> int:
        """Return the number of free places."""
        for line in (self._answered, self._given_up):
            while line and line[0] <= now:
                line.popleft()
        return self.places - self._under_way - len(self._answered) - len(self._given_up)

    def answered_within_window(self, now: float) -> int:
        """Return how many answers came in the last `window` seconds."""
        self.left(now)
        return len(self._answered)

    def free_at(self, now: float) -> float:
        """From when a place may be free: -inf for now, inf while all belong to requests under way.

        Where `places` was lowered, several have to come free before one can be taken.
        """
        if self.left(now) > 0:
            return -inf
        return min((line[0] for line in (self._answered, self._given_up) if line), default=inf)

    def take(self) -> None:
        """Take a place for a request that leaves now."""
        self._under_way += 1

    def answered(self, now: float) -> None:
        self._under_way -= 1
        self._answered.append(now + self.window)

    def given_up(self, now: float) -> None:
        """No answer came; the request may reach the server as late as `grace` from now."""
        self._under_way -= 1
        self._given_up.append(now + self.window + self.grace)

    def not_sent(self) -> None:
        """The request never left: the server will not count it."""
        self._under_way -= 1
