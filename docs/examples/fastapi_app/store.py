"""The jobs, in a table that all worker processes share.

Take the table into the database that you have anyway. What matters: `add` has the job on the disk
before it returns, and ends with one row however often it is called.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .database import Database

State = Literal["queued", "submitted", "processing", "done", "failed"]

_SCHEMA = """
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    worker INTEGER NOT NULL,
    prompt TEXT NOT NULL,
    state TEXT NOT NULL,
    asked REAL NOT NULL,
    since REAL NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    problem TEXT
) STRICT;
"""


@dataclass(frozen=True)
class Job:
    """One picture that somebody asked for: a row, its columns in their order."""

    id: str
    worker: int
    """The number of the worker process whose journal knows it."""
    prompt: str
    state: State
    asked: float
    """When somebody asked for it, Unix time in seconds."""
    since: float
    """When the state began, Unix time in seconds."""
    version: int
    """Counts the changes."""
    problem: str | None
    """The code of what went wrong, of a job that failed."""

    @property
    def over(self) -> bool:
        """True where nothing more is expected."""
        return self.state in ("done", "failed")

    @property
    def seconds(self) -> float:
        """From when somebody asked to the end, or to this moment."""
        return max(0.0, (self.since if self.over else time.time()) - self.asked)


class Store:
    """The table, and the few things that happen to it."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "jobs.db", _SCHEMA)
        self.aclose = self._database.aclose

    async def add(self, worker: int, job_id: str, prompt: str) -> bool:
        """Return once the job is on the disk; False where there is one of that id already."""
        now = time.time()
        rows = await self._database.rows(
            "INSERT INTO jobs (id, worker, prompt, state, asked, since)"
            " VALUES (?, ?, ?, 'queued', ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            job_id,
            worker,
            prompt,
            now,
            now,
        )
        return bool(rows)

    async def sent(self, worker: int, job_id: str, prompt: str) -> None:
        """Note that a job was submitted. Those that were not in line come in here."""
        now = time.time()
        await self._database.rows(
            "INSERT INTO jobs (id, worker, prompt, state, asked, since)"
            " VALUES (?, ?, ?, 'submitted', ?, ?) ON CONFLICT DO UPDATE SET"
            " state = 'submitted', problem = NULL, since = excluded.since, version = version + 1"
            " WHERE state IN ('queued', 'failed')",
            job_id,
            worker,
            prompt,
            now,
            now,
        )

    async def change(self, job_id: str, state: State, problem: str | None = None) -> None:
        """Put a job into another state. One that is done stays so."""
        await self._database.rows(
            "UPDATE jobs SET state = ?, problem = ?, since = ?, version = version + 1"
            " WHERE id = ? AND state != 'done'",
            state,
            problem,
            time.time(),
            job_id,
        )

    async def get(self, job_id: str) -> Job | None:
        """Return a job by its id."""
        rows = await self._database.rows("SELECT * FROM jobs WHERE id = ?", job_id)
        return Job(*rows[0]) if rows else None

    async def unfinished(self, worker: int) -> list[Job]:
        """Return what a worker had not finished, oldest first."""
        rows = await self._database.rows(
            "SELECT * FROM jobs WHERE worker = ? AND state NOT IN ('done', 'failed')"
            " ORDER BY asked",
            worker,
        )
        return [Job(*row) for row in rows]
