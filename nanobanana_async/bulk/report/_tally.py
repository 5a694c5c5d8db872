"""The figures of a run, gathered row by row. A number a row is kept, and no text."""

from array import array
from collections import Counter, defaultdict
from statistics import fmean
from typing import Final

from attrs import Factory, define

from nanobanana_async.bulk.report._row import Row

# States of tasks that ran to their end at the API.
_ENDED: Final = frozenset({"succeeded", "failed", "download_failed"})


def _numbers() -> "array[float]":
    return array("d")


@define
class Tally:
    """What the header and the plots show."""

    states: Counter[str] = Factory(Counter)
    reasons: Counter[str] = Factory(Counter)
    ended: "array[float]" = Factory(_numbers)
    """Seconds since 1970 at which tasks ended."""
    service_times: dict[str, "array[float]"] = Factory(lambda: defaultdict(_numbers))
    """Seconds, by resolution."""

    def add(self, row: Row, reason: str | None) -> None:
        """Count a row, and the reason for which it needs a look."""
        self.states[row.state] += 1
        if reason is not None:
            self.reasons[reason] += 1
        if row.state in _ENDED:
            if (ended := row.ended) is not None:
                self.ended.append(ended)
            if row.service_time is not None and row.service_time >= 0:
                self.service_times[row.resolution].append(row.service_time)

    @property
    def service_time(self) -> float | None:
        """The mean over all tasks whose service time is known."""
        if not self.service_times:
            return None
        return fmean(time for times in self.service_times.values() for time in times)
