"""The relay of one process: clients in one event loop that share a public URL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from attrs import define, field

__all__ = ["LocalRelay"]


@define(eq=False, repr=False)
class LocalRelay:
    """A `DeliveryRelay` among the clients of one event loop: give all of them the same one."""

    _takers: list[Callable[[bytes, str], Awaitable[int | None]]] = field(factory=list, init=False)

    async def publish(self, body: bytes, token: str) -> int | None:
        """Offer a delivery to each client, until one takes it; return its HTTP status, or None.

        Cancelled, the client that it is for may have taken it, which does no harm: it may come again.
        """
        for take in list(self._takers):
            status = await take(body, token)
            if status not in (None, HTTPStatus.NOT_FOUND):  # 404: that client has another secret
                return status
        return None

    def subscribe(self, take: Callable[[bytes, str], Awaitable[int | None]]) -> Callable[[], None]:
        """Have `take` called with what is published, until the returned function is called.

        Clients do this themselves.
        """
        self._takers.append(take)
        return lambda: self._takers.remove(take)
