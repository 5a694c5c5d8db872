"""The figures of one moment of a bulk run; pure."""

from attrs import define, field, frozen

from nanobanana_async import Limits, Statistics
from nanobanana_async.bulk import Progress
from nanobanana_async.cli._rate import RateMeter

_MINUTE = 60.0


@frozen(kw_only=True)
class View:
    """All that a display may show."""

    seconds: float
    rows: int
    done: int
    """Rows about which there is nothing left to do, earlier runs included."""
    succeeded: int
    """Pictures of this run."""
    failed: int
    """Rows of this run that have no picture, but for the unknown."""
    unknown: int
    running: int
    waiting_for_download: int
    downloaded: int
    """Bytes."""
    rows_per_second: float
    """Mean of the last minute."""
    requests_per_second: float
    requests_limit: float
    tasks_limit: int
    refusals: int
    stopping: bool
    longest: float
    """Seconds that the slowest task so far has taken."""

    @property
    def all_done(self) -> bool:
        """True where the report is all that is left to be written."""
        return self.done >= self.rows > 0

    @property
    def seconds_left(self) -> float | None:
        """By the rate of the last minute; None while there is none, and where nothing is left."""
        if self.rows_per_second <= 0 or self.all_done:
            return None
        return (self.rows - self.done) / self.rows_per_second


@define
class Viewer:
    """Makes views of a run's progress."""

    progress: Progress
    limits: Limits
    began: float
    _rows: RateMeter = field(factory=lambda: RateMeter(_MINUTE), init=False)
    _requests: RateMeter = field(factory=RateMeter, init=False)

    def view(self, now: float) -> View:
        """Take the figures of this moment."""
        progress = self.progress
        client = progress.statistics() if progress.statistics else None
        states = progress.states
        unknown = states["unknown"]
        return View(
            seconds=now - self.began,
            rows=progress.rows,
            done=progress.done_before + progress.done,
            succeeded=states["succeeded"],
            failed=progress.done - states["succeeded"] - unknown,
            unknown=unknown,
            running=client.in_flight if client else 0,
            waiting_for_download=progress.waiting_for_download,
            downloaded=progress.downloaded,
            rows_per_second=self._rows.update(now, progress.done),
            requests_per_second=self._requests.update(now, _requests(client)),
            requests_limit=self.limits.requests_per_minute / _MINUTE,
            tasks_limit=self.limits.concurrent_tasks,
            refusals=client.refusals if client else 0,
            stopping=progress.stopping,
            longest=progress.longest,
        )


def _requests(client: Statistics | None) -> int:
    return client.submits + client.checks + client.other_requests if client else 0
