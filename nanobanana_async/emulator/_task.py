"""One accepted task. Its life is fixed at acceptance, so its state is a question of the time."""

from typing import Final, Literal

from attrs import define, frozen

from nanobanana_async.emulator._order import Order
from nanobanana_async.emulator._service import Failure

State = Literal["pending", "processing", "success", "failed"]

_LONGEST_PENDING: Final = 1.0
_PENDING_SHARE: Final = 0.1


@frozen
class Life:
    """The times of a task, in the core's seconds."""

    accepted: float
    end: float
    failure: Failure | None

    def state(self, now: float) -> State:
        """Pending for the first tenth, 1 s at most; then processing until the end."""
        if now >= self.end:
            return "success" if self.failure is None else "failed"
        pending = min(_LONGEST_PENDING, _PENDING_SHARE * (self.end - self.accepted))
        return "pending" if now < self.accepted + pending else "processing"


@define
class Task:
    """A task and what the ledger wants to know of it."""

    id: str
    model: str
    order: Order
    life: Life
    checks: int = 0
    """Status requests that named it."""
    seen: bool = False
    """A status answer has shown it finished."""
    number: int = -1
    """Its place in the order of acceptance; only where the ledger keeps that."""
    callback_fault: str | None = None
    """What its callback suffers, of what is drawn once a task."""
