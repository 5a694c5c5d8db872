"""SQLite for asyncio: all access in one thread, so that no disk holds up the event loop."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_TRIES = 50


class Database:
    """A file that all worker processes share."""

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._schema = f"PRAGMA journal_mode = WAL; {schema}"
        self._thread = ThreadPoolExecutor(1, path.stem)
        self._connection: sqlite3.Connection | None = None

    async def rows(self, query: str, *values: Any) -> list[Any]:
        """Run one statement, which is safe when this returns; return its rows."""
        return await self._do(lambda: self._opened().execute(query, values).fetchall())

    async def aclose(self) -> None:
        """Close it, after everything that was asked for before."""
        await self._do(self._close)
        self._thread.shutdown()

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, timeout=10.0, isolation_level=None)
            self._set_up(self._connection)
        return self._connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        for left in reversed(range(_TRIES)):
            try:
                connection.executescript(self._schema)
            except sqlite3.OperationalError:
                # Of workers that make a new file at the same time, one may find it locked.
                if not left:
                    raise
                time.sleep(0.1)
            else:
                return

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
