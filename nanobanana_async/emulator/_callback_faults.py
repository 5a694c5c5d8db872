"""What can go wrong with callbacks, by name and probability.

Drawn for each task at its acceptance, at most one of these:

- `callback_lost`: nothing of it ever reaches the receiver, neither the first try nor a repeat;
- `callback_early`: it comes before the submit's own answer, which is held back until half a second
  after the task's end (the task is accepted at once, as ever);
- `callback_late`: the first try comes 60 s late;
- `callback_progress`: half-way to the end comes one more delivery, with state processing.

Drawn anew each time:

- `callback_drop`: one try is lost on its way, and repeated like any that failed;
- `callback_twice`: what was answered 200 comes once more, 5 s later.

`Settings.speed` divides the 60 s and the 5 s.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

LOST: Final = "callback_lost"
EARLY: Final = "callback_early"
LATE: Final = "callback_late"
PROGRESS: Final = "callback_progress"
DROP: Final = "callback_drop"
TWICE: Final = "callback_twice"

OF_TASKS: Final = (LOST, EARLY, LATE, PROGRESS)
CALLBACK_FAULTS: Final = (*OF_TASKS, DROP, TWICE)


class CallbackFaults:
    """Decides what callbacks suffer."""

    def __init__(self, faults: Mapping[str, float], stream: Callable[[str], Random]) -> None:
        """Take faults that passed `check_faults`; `stream` makes a generator by its name.

        One draw is made a task, whatever it may suffer; tries and repeats are drawn beside it.
        """
        self._of_tasks = [(name, faults[name]) for name in OF_TASKS if faults.get(name)]
        self._each_time = {name: faults.get(name, 0.0) for name in (DROP, TWICE)}
        self._tasks = stream("callbacks")
        self._streams = {name: stream(name) for name in self._each_time}

    def of_task(self) -> str | None:
        """Name what happens to the callback of a new task, or None."""
        left = self._tasks.random()
        for name, probability in self._of_tasks:
            left -= probability
            if left < 0:
                return name
        return None

    def happens(self, name: str) -> bool:
        """Draw `callback_drop` or `callback_twice`."""
        return self._streams[name].random() < self._each_time[name]
