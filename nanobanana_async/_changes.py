"""The states of one task as a chain, each of which leads to the next.

A listener holds its place in the chain, so any number of them read at their own pace, none misses a
state, and a slow one holds nobody up. What all have read is forgotten by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from attrs import define, field

from nanobanana_async._errors import NanoBananaError
from nanobanana_async._models import TaskStatus

__all__ = ["Changes", "tells"]


def tells(status: TaskStatus | None) -> bool:
    """True for a status to hand on. A success without URLs may yet get some, or is an error."""
    return status is not None and (status.state != "success" or bool(status.urls))


@define(eq=False, repr=False)
class _Link:
    status: TaskStatus | None
    """None only in the first link, before anything was seen."""
    next: asyncio.Future[_Link | None] = field(init=False)
    """The next state; None where there will be none."""

    def __attrs_post_init__(self) -> None:
        self.next = asyncio.get_running_loop().create_future()


class Changes:
    """The newest end of the chain. Told what every good look has shown."""

    def __init__(self, known: TaskStatus | None) -> None:
        self._last = _Link(known if tells(known) else None)

    def tell(self, status: TaskStatus) -> None:
        """Add a state, if it is another than the last one."""
        last = self._last
        if not tells(status):
            return
        if last.status is None or last.status.state != status.state:
            self._last = _Link(status)
            last.next.set_result(self._last)

    def end(self) -> None:
        """The last state was the last one."""
        if not self._last.next.done():
            self._last.next.set_result(None)

    def fail(self, error: NanoBananaError) -> None:
        """Give `error` to all who listen, in place of a next state; nobody need be listening."""
        if not self._last.next.done():
            self._last.next.set_exception(error)
            self._last.next.exception()  # marks it as retrieved, or asyncio logs it

    async def read(self) -> AsyncIterator[TaskStatus]:
        """Yield the last known state and each that follows, to the end."""
        link: _Link | None = self._last
        while link is not None:
            if link.status is not None:
                yield link.status
            link = await asyncio.shield(link.next)
