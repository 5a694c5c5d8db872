"""Which of the account's slots are taken and how far each task is, as the client tells telemetry.

The client counts its slots; here they get numbers, so that they have a place on a map. The one that
has been free for longest is taken next: what was found stays to be seen for a while.
"""

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from math import inf
from typing import Any, Final, Protocol

from attrs import define, field

_FOUND_FOR: Final = 2.0
"""Seconds for which a slot is shown as found after its task has ended."""


class Stage(IntEnum):
    """How far the task of a slot is."""

    FREE = 0
    SUBMITTED = 1
    """Sent, and not looked at since."""
    LOOKED_AT = 2
    """Looked at, and was not ready."""
    READY = 3
    """Ended at the API, and waits to be looked at."""
    FOUND = 4
    """Seen to have ended a moment ago: the slot is free again."""


class Facts(Protocol):
    """What the client lets be known of a generation, of which this is read."""

    @property
    def task_id(self) -> str | None: ...
    @property
    def checks(self) -> int: ...
    @property
    def lag(self) -> float | None: ...


@define
class SlotMap:
    """Takes the part of a client's telemetry."""

    number: int
    """Slots of the account."""
    clock: Callable[[], float]
    longest_lag: float = field(default=0.0, init=False)
    """Seconds from a task's end to the look that saw it, at most."""
    _held: list[Facts | None] = field(init=False)
    _found_at: list[float] = field(init=False)
    _free: deque[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._held = [None] * self.number
        self._found_at = [-inf] * self.number
        self._free = deque(range(self.number))

    def stages(self, now: float, ready_at: Callable[[str], float]) -> bytes:
        """Return the stage of each slot; `ready_at` tells when a task ends at the API."""
        return bytes(
            _free_stage(now - found_at) if facts is None else _stage(facts, now, ready_at)
            for facts, found_at in zip(self._held, self._found_at, strict=True)
        )

    def take(self, facts: Facts) -> int | None:
        """Give a generation the slot that has been free for longest; None where none is."""
        if not self._free:
            return None
        index = self._free.popleft()
        self._held[index] = facts
        return index

    def give_back(self, index: int, *, found: bool) -> None:
        """Free a slot; `found` where its task was seen to have ended."""
        self._held[index] = None
        self._found_at[index] = self.clock() if found else -inf
        self._free.append(index)

    # What the client calls

    def opened(self, statistics: object) -> Callable[[], None]:  # noqa: ARG002 - the client's hook
        """Take no note: the statistics are asked for."""
        return lambda: None

    def caller(self) -> object:
        """Nothing depends on who calls."""
        return None

    def began(self, facts: Facts, caller: object) -> "_Tenant":  # noqa: ARG002 - likewise
        """Watch a generation."""
        return _Tenant(self, facts)

    def downloading(self, task_id: str) -> "_Ignored":  # noqa: ARG002 - likewise
        """Take no note: a download holds no slot."""
        return _Ignored()


def _free_stage(since_found: float) -> Stage:
    return Stage.FOUND if since_found < _FOUND_FOR else Stage.FREE


def _stage(facts: Facts, now: float, ready_at: Callable[[str], float]) -> Stage:
    if facts.task_id is not None and ready_at(facts.task_id) <= now:
        return Stage.READY
    return Stage.LOOKED_AT if facts.checks else Stage.SUBMITTED


@define
class _Tenant:
    """A generation that takes a slot, when it is sent, and gives it back."""

    _slots: SlotMap
    _facts: Facts
    _index: int | None = None

    def moved(self, state: Any) -> None:
        """Note another state: in line again after a refusal, it holds no slot."""
        if state.value == "sending":
            self._index = self._slots.take(self._facts)
        elif state.value == "queued":
            self._leave(found=False)

    def ended(self, error: BaseException | None) -> None:  # noqa: ARG002 - a failure is an end, too
        """Note its end."""
        if self._facts.lag is not None:
            self._slots.longest_lag = max(self._slots.longest_lag, self._facts.lag)
        self._leave(found=self._facts.task_id is not None)

    def _leave(self, *, found: bool) -> None:
        if self._index is not None:
            self._slots.give_back(self._index, found=found)
            self._index = None


class _Ignored:
    """A download."""

    def moved(self, state: object) -> None:
        """Take no note."""

    def ended(self, error: BaseException | None) -> None:
        """Take no note."""
