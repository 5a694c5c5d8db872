"""How far a run is: counted while it goes on, and read by whoever wants to show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from attrs import define, field, frozen

from nanobanana_async._errors import NanoBananaError
from nanobanana_async._models import Statistics
from nanobanana_async.bulk._manifest import State

__all__ = ["Progress", "Summary"]


@define
class Progress:
    """Counts of one run. Read it at any time, in the run's event loop."""

    rows: int = 0
    """Valid rows of the input."""
    done_before: int = 0
    """Rows that earlier runs have brought to an end."""
    states: Counter[State] = field(factory=Counter)
    """Rows by what became of them in this run."""
    downloaded: int = 0
    """Bytes of pictures."""
    waiting_for_download: int = 0
    """Rows that have their URLs and not yet all of their pictures."""
    again: int = 0
    """Rows that are submitted anew, each a new charge."""
    stopping: bool = False
    """True once nothing new is submitted."""
    writing_report: bool = False
    """True once all rows are at rest and the page is being written."""
    longest: float = 0.0
    """Service time in seconds of the slowest task that this run has seen."""
    spent: Decimal = Decimal(0)
    """What was paid for, or may have been, earlier runs included, by the prices that were given."""
    statistics: Callable[[], Statistics] | None = None
    """The client's figures; None while there is no client."""

    @property
    def done(self) -> int:
        """Rows that this run has brought to an end."""
        return self.states.total()


@frozen(kw_only=True)
class Summary:
    """What a run leaves."""

    rows: int
    """Valid rows of the input."""
    states: Counter[State]
    """Rows by what became of them, earlier runs included."""
    rejected: int
    """Rows that were left out, because they break a rule."""
    spent: Decimal
    """What was paid for, or may have been, by the prices that were given. Where the key was refused
    in the middle, rows that were about to be submitted are in it."""
    budget_reached: bool
    """True where a row was not submitted because of the budget."""
    stopped: bool
    """True where somebody stopped the run."""
    stopped_by: NanoBananaError | None
    """What ended the run early: the key, the account, the journal."""
    report: Path | None
    """The page; None where there is none."""

    @property
    def unsent(self) -> int:
        """Rows that were never submitted, or certainly not accepted."""
        return max(self.rows - self.states.total(), 0)
