"""Which attempts a journal may forget. Pure: a fold over its records, which holds none of them."""

from __future__ import annotations

from typing import Final

from attrs import define, field

from nanobanana_async._journal import Kind, kind_after

__all__ = ["Forgetting"]

_FEWEST: Final = 1_000
"""Records; to forget fewer is not worth a file written anew."""


@define(eq=False, repr=False)
class _Fate:
    kind: Kind | None = None
    records: int = 0
    last_at: float = 0.0
    acknowledged: bool = False


@define(eq=False, repr=False)
class Forgetting:
    """Give it the records in their order, then ask what is `worth` forgetting."""

    before: float
    """Unix time: what has a record of this time or later is kept."""
    _fates: dict[int, _Fate] = field(factory=dict, init=False)
    _records: int = field(default=0, init=False)
    _last: int = field(default=0, init=False)
    """The attempt of the last record."""

    def apply(self, attempt: int, kind: Kind, at: float) -> None:
        """Take in the next record.

        Raises:
            ValueError: it cannot follow those before it.
        """
        fate = self._fates.setdefault(attempt, _Fate())
        fate.kind = kind_after(fate.kind, attempt, kind)
        fate.records += 1
        fate.last_at = max(fate.last_at, at)
        fate.acknowledged |= kind is Kind.ACKNOWLEDGED
        self._records += 1
        self._last = attempt

    def old(self) -> set[int]:
        """Return the attempts that nobody asks for: acknowledged or refused, and long ago.

        Never the newest one, whose number would be given out again; nor that of the last record,
        whose number says that the journal's end is there.
        """
        old = {
            number
            for number, fate in self._fates.items()
            if (fate.acknowledged or fate.kind is Kind.REFUSED) and fate.last_at < self.before
        }
        return old - {self._last, max(self._fates, default=0)}

    def worth(self) -> set[int]:
        """Return `old`, where it has many of the records, and at least half of them; or nothing."""
        old = self.old()
        records = sum(self._fates[number].records for number in old)
        return old if records >= max(_FEWEST, self._records / 2) else set()
