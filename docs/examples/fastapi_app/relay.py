"""Deliveries of webhooks, from the worker process that they reach to the one that waits for them.

Workers share a port, so a delivery reaches any of them. Handed on it is taken within a moment;
without, it would come again after 30 s, perhaps to the wrong worker once more.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from .database import Database

_logger = logging.getLogger(__name__)

Take = Callable[[bytes, str], Awaitable[int | None]]

_SCHEMA = """
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY, token TEXT NOT NULL, body BLOB NOT NULL, worker TEXT NOT NULL, status INTEGER
) STRICT;
"""
_EVERY = 0.1
"""Seconds between two looks."""
_TRIES = 50
"""Looks until nobody seems to want it. Then it comes again by itself."""


class SharedRelay:
    """A `DeliveryRelay` between processes of one machine. With Redis it would be a channel."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "relay.db", _SCHEMA)
        self._me = uuid4().hex
        self._reader: asyncio.Task[None] | None = None

    async def aclose(self) -> None:
        """Close it, after the client."""
        if self._reader is not None:
            with suppress(asyncio.CancelledError):
                await self._reader
        await self._database.aclose()

    async def publish(self, body: bytes, token: str) -> int | None:
        """Offer a delivery to the others, and return the status of the one that took it."""
        # Each offer has an id of its own: what is said of one body must not answer another.
        offer = uuid4().hex
        insert = "INSERT INTO deliveries VALUES (?, ?, ?, ?, NULL)"
        await self._database.rows(insert, offer, token, body, self._me)
        try:
            return await self._taken(offer)
        finally:
            await self._database.rows("DELETE FROM deliveries WHERE id = ?", offer)

    def subscribe(self, take: Take) -> Callable[[], None]:
        """Have `take` called with what the others offer."""
        self._reader = reader = asyncio.create_task(self._read(take))

        def leave() -> None:
            reader.cancel()

        return leave

    async def _taken(self, offer: str) -> int | None:
        query = "SELECT status FROM deliveries WHERE id = ? AND status IS NOT NULL"
        for _ in range(_TRIES):
            await asyncio.sleep(_EVERY)
            if rows := await self._database.rows(query, offer):
                return int(rows[0][0])
        return None

    async def _read(self, take: Take) -> None:
        while True:
            try:
                await self._take_all(take)
            except Exception:
                _logger.exception("Deliveries for this worker cannot be read; they come again")
            await asyncio.sleep(_EVERY)

    async def _take_all(self, take: Take) -> None:
        query = "SELECT id, token, body FROM deliveries WHERE worker != ? AND status IS NULL"
        for offer, token, body in await self._database.rows(query, self._me):
            status = await take(body, token)
            if status is not None:
                done = "UPDATE deliveries SET status = ? WHERE id = ?"
                await self._database.rows(done, status, offer)
