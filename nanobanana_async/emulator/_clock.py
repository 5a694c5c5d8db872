"""The server's own clock, which may be wrong, and may be set while the server runs.

It shows in the stamps of tasks and in the `date` header. What really happens when (the end of a
task, the minute of the rate limit) goes by the core's time, which is always right.
"""

from collections.abc import Sequence
from email.utils import formatdate
from math import floor

from attrs import evolve

from nanobanana_async.emulator._steps import Steps
from nanobanana_async.emulator._wire import Answer, Cut, Outcome, Picture


def check_jumps(jumps: Sequence[tuple[float, float]]) -> None:
    """Raise ValueError where the times of the jumps do not rise from 0 or above."""
    times = [time for time, _ in jumps]
    if not all(time >= 0 for time in times) or times != sorted(set(times)):
        msg = f"the times of clock_jumps must rise, from 0 or above: {times}"
        raise ValueError(msg)


class ServerClock:
    """Tells the Unix time that the server believes in; `now` is the core's seconds."""

    def __init__(self, epoch: float, offset: float, jumps: Sequence[tuple[float, float]]) -> None:
        """`epoch` is the true Unix time at `now == 0`; offsets are seconds ahead of the truth."""
        self._epoch = epoch
        self._offsets = Steps(offset, jumps)
        self._date = ""
        self._date_since = self._date_until = 0.0

    def stamp(self, now: float) -> int:
        """Return Unix milliseconds."""
        return int((self._epoch + now + self._offsets.at(now)) * 1000)

    def milliseconds(self, since: float, until: float) -> int:
        """Return the true time between two moments, as a clock that is never set measures it."""
        return int((self._epoch + until) * 1000) - int((self._epoch + since) * 1000)

    def date(self, now: float) -> str:
        """Return the value of a `date` header, RFC 9110's IMF-fixdate."""
        # Every answer asks, and formatting takes as long as half a request: once a second will do.
        if not self._date_since <= now < self._date_until:
            self._tick(now)
        return self._date

    def dated(self, outcome: Outcome, now: float) -> Outcome:
        """Return the outcome with the date of `now`, where it has a place for one."""
        if isinstance(outcome, (Answer, Picture)):
            return self._with_date(outcome, now)
        return Cut(self._with_date(outcome.of, now)) if isinstance(outcome, Cut) else outcome

    def _with_date(self, content: Answer | Picture, now: float) -> Answer | Picture:
        date = self.date(now)
        if isinstance(content, Answer):
            return Answer(content.status, content.body, {**content.headers, "date": date})
        return evolve(content, date=date)

    def _tick(self, now: float) -> None:
        unix = self._epoch + now + self._offsets.at(now)
        second = floor(unix)
        self._date = formatdate(second, usegmt=True)
        self._date_since = now
        self._date_until = min(now + (second + 1 - unix), self._offsets.next_change(now))
