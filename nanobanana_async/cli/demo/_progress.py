"""The figures of one moment of the demo, ready to be shown; how, is the displays' business."""

from collections.abc import Sequence

from attrs import define, field, frozen

from nanobanana_async import Limits, Statistics
from nanobanana_async.cli._rate import RateMeter
from nanobanana_async.cli.demo._ends import Ends
from nanobanana_async.cli.demo._history import History, Reading
from nanobanana_async.cli.demo._slots import SlotMap
from nanobanana_async.cli.demo._tally import Tally


@frozen(kw_only=True)
class Snapshot:
    """All that a display may show."""

    seconds: float
    """Since the start."""
    total: int
    submitted: int
    in_flight: int
    """Accepted and not seen finished yet."""
    downloaded: int
    failed: int
    refusals: int
    requests_per_second: float
    """Mean of the last seconds."""
    requests_limit: float
    """The limit of requests, a second."""
    tasks_limit: int
    """The limit of tasks at once."""
    checks_per_task: float
    mean_lag: float
    """Seconds from a task's end to the look that saw it."""
    longest_lag: float
    requests: Sequence[Reading]
    """How many requests had been sent at which time, of late."""
    slots: bytes
    """The `Stage` of each slot."""

    @property
    def done(self) -> int:
        """Pictures about which there is nothing left to do."""
        return self.downloaded + self.failed


@define
class Progress:
    """Makes snapshots of a tally, the client's statistics and its slots."""

    tally: Tally
    limits: Limits
    slots: SlotMap
    ends: Ends
    began: float
    """The time of the start, on the clock that `snapshot` is given."""
    _meter: RateMeter = field(factory=RateMeter, init=False)
    _history: History = field(factory=History, init=False)

    def snapshot(self, now: float, client: Statistics) -> Snapshot:
        """Take the figures of this moment."""
        requests = client.submits + client.checks + client.other_requests
        self.ends.look(now)
        return Snapshot(
            seconds=now - self.began,
            total=self.tally.total,
            submitted=client.accepted,
            in_flight=client.in_flight,
            downloaded=self.tally.downloaded,
            failed=self.tally.failed,
            refusals=client.refusals,
            requests_per_second=self._meter.update(now, requests),
            requests_limit=self.limits.requests_per_minute / 60,
            tasks_limit=self.limits.concurrent_tasks,
            checks_per_task=client.checks_per_task,
            mean_lag=client.mean_lag,
            longest_lag=self.slots.longest_lag,
            requests=self._history.add(now, requests),
            slots=self.slots.stages(now, self.ends.ready_at),
        )
