"""The jobs of one command at one moment, ready to be shown; how, is the displays' business."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from nanobanana_async.cli.jobs._job import ASKED, DOWNLOADING, SUBMITTING, Job

_FURTHEST_FIRST: Final = (DOWNLOADING, "processing", "pending", "submitted", ASKED, SUBMITTING)


@frozen
class JobsView:
    """All that a display may show."""

    jobs: Sequence[Job]
    now: float
    """On the clock of `Job.since`."""
    seconds: float
    """Since the start."""

    @property
    def over(self) -> int:
        """Jobs about which nothing is left to do."""
        return sum(job.over for job in self.jobs)

    @property
    def states(self) -> Counter[str]:
        """Unfinished jobs by state."""
        return Counter(job.state for job in self.jobs if not job.over)

    def furthest(self, number: int) -> list[Job]:
        """Return some unfinished jobs, those in front that will be finished soonest."""
        unfinished = [job for job in self.jobs if not job.over]
        return sorted(unfinished, key=_rank)[:number]


def _rank(job: Job) -> int:
    known = job.state in _FURTHEST_FIRST
    return _FURTHEST_FIRST.index(job.state) if known else _FURTHEST_FIRST.index("processing")
