"""Whether the API is there at all: looks that tell nothing, one after the other, say that it is not.

One task's looks may fail for a reason of its own, so a few tasks must be concerned; then everything
stops but for one probe at a time. Pure: the time is handed in.
"""

from __future__ import annotations

import logging
from random import Random
from typing import Final

from attrs import define, field

from nanobanana_async._gate import Gate
from nanobanana_async._retry import Backoff

__all__ = ["Health"]

_logger = logging.getLogger("nanobanana_async")

_AGAIN: Final = Backoff(1.0, 30.0, jitter=0.1)
_LOOKS_IN_A_ROW: Final = 20
_TASKS: Final = 3


@define(eq=False, repr=False)
class Health:
    """Closes its gate after twenty failed looks in a row at three tasks or more."""

    _random: Random
    gate: Gate = field(init=False)
    """Closed while the API gives no useful answer."""
    _failed_looks: int = field(default=0, init=False)
    # Tasks whose looks failed in the present row; three are enough.
    _tasks: set[object] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.gate = Gate(_AGAIN, self._random)

    def good(self) -> None:
        """The API answered, whatever it said."""
        self._failed_looks = 0
        self._tasks.clear()
        if not self.gate.is_open:
            _logger.warning("The API answers again")
            self.gate.open()

    def probe_failed(self, probe: int, now: float) -> None:
        """A request of any kind told nothing while the gate was closed."""
        self.gate.probe_failed(probe, now)

    def look_failed(self, task: object, now: float) -> None:
        """A look at a task told nothing while the gate was open."""
        self._failed_looks += 1
        if len(self._tasks) < _TASKS:
            self._tasks.add(task)
        if self._failed_looks >= _LOOKS_IN_A_ROW and len(self._tasks) >= _TASKS:
            _logger.warning("The API gives no useful answer any more. Trying on, slowly")
            self.gate.close(now)
