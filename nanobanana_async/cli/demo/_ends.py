"""When tasks end at the API, which the emulator knows beforehand."""

from collections.abc import Callable
from math import inf
from typing import Final

from attrs import define, field

from nanobanana_async.emulator import Ledger

_TASKS_A_SECOND: Final = 50_000
"""A ledger is a copy of all that was seen: the more there is in it, the more rarely it is taken."""
_KEPT: Final = 60.0
"""Seconds after its end for which a task that was not found yet is remembered."""


@define
class Ends:
    """The ends of the emulator's tasks, by what its ledger adds."""

    _ledger: Callable[[], Ledger]
    _began: float
    """The time at which the emulator's clock was at 0."""
    _ends: dict[str, float] = field(factory=dict, init=False)
    _known: int = field(default=0, init=False)
    """Tasks of the ledger that have been read."""
    _next_look: float = field(default=-inf, init=False)

    def look(self, now: float) -> None:
        """Read what is new, if it is time."""
        if now < self._next_look:
            return
        ledger = self._ledger()
        new = slice(self._known, None)
        added = zip(
            ledger.task_ids[new], ledger.accepted_at[new], ledger.service_times[new], strict=True
        )
        ends = {task: end for task, end in self._ends.items() if end > now - _KEPT}
        ends.update((task, self._began + at + seconds) for task, at, seconds in added)
        self._ends = ends
        self._known = ledger.accepted
        self._next_look = now + ledger.accepted / _TASKS_A_SECOND

    def ready_at(self, task_id: str) -> float:
        """Return when a task ends; inf while that is not known."""
        return self._ends.get(task_id, inf)
