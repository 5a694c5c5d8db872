"""A journal without a file and a thread, for clients on virtual time. It can be slow, or break."""

import asyncio
from collections.abc import Callable

from attrs import define, field

from nanobanana_async import JournalError, JournalInUseError, Kind, Record


@define(eq=False)
class MemoryJournal:
    records: list[Record] = field(factory=list)
    delay: float = 0.0
    """Seconds that a write takes."""
    breaks: Callable[[Record], bool] = lambda _: False
    """From the first record that this is true of, nothing can be written."""
    broken: JournalError | None = field(default=None, init=False)
    in_use: bool = field(default=False, init=False)

    async def open(self, take: Callable[[Record], None]) -> None:
        if self.in_use:
            raise JournalInUseError("in use")
        self.in_use, self.broken = True, None
        for record in self.records:
            take(record)

    async def write(self, record: Record) -> None:
        if self.broken is None and self.breaks(record):
            self.broken = JournalError("the disk is full")
        if self.broken is not None:
            raise self.broken
        self.records.append(record)
        if self.delay:
            await asyncio.sleep(self.delay)

    def note(self, record: Record) -> None:
        if self.broken is not None:
            raise self.broken
        self.records.append(record)

    async def aclose(self) -> None:
        self.in_use = False

    def kinds(self) -> dict[int, list[Kind]]:
        """The kinds of each attempt's records, in their order."""
        kinds: dict[int, list[Kind]] = {}
        for record in self.records:
            kinds.setdefault(record.attempt, []).append(record.kind)
        return kinds
