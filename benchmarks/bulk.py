"""What a journal costs a client, and what files, manifest and downloads cost a bulk run.

Both against the same without it, in turn, in one process, with the emulator in another. Timings are
noisy, so figures are medians of several pairs.

    python -m benchmarks.bulk [--runs 3] [--write docs/cost-of-bulk.md]

Exits with 1 where a figure is beyond its bound.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sqlite3
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from attrs import define, field, frozen

from benchmarks.server import KEY, server
from nanobanana_async import ImageRequest, Kind, NanoBananaClient, Record, SqliteJournal
from nanobanana_async.bulk import BulkSettings, run

MOST_CPU = 1.15
MOST_DELAY = 0.020
LEAST_THROUGHPUT = 0.95

WARM_UP = 20.0
STEADY = 20.0
ROWS = 3_000


@define(eq=False)
class Timed(SqliteJournal):
    """Notes for how long each submit waited for its record."""

    waits: list[float] = field(factory=list)

    async def write(self, record: Record) -> None:
        began = time.perf_counter()
        await super().write(record)
        if record.kind is Kind.SENDING:
            self.waits.append(time.perf_counter() - began)


@frozen
class Pair:
    """CPU seconds a request of a client at full rate, without and with a journal."""

    without: float
    journaled: float
    p95: float
    """Seconds that a submit waited for its record."""

    @property
    def ratio(self) -> float:
        return self.journaled / self.without


async def cpu_a_request(url: str, journal: SqliteJournal | None) -> float:
    """Measure a client at its limits: there is always more to submit than it has slots."""
    async with NanoBananaClient(KEY, base_url=url, journal=journal) as client:

        async def generate() -> None:
            requests = (ImageRequest(f"a cat, number {number}") for number in count())
            async for outcome in client.generate_many(requests):
                outcome.acknowledge()

        work = asyncio.create_task(generate())
        await asyncio.sleep(WARM_UP)
        requests, cpu = requests_of(client), time.process_time()
        await asyncio.sleep(STEADY)
        cpu, requests = time.process_time() - cpu, requests_of(client) - requests
        work.cancel()
        await asyncio.wait([work])
    return cpu / requests


def requests_of(client: NanoBananaClient) -> int:
    figures = client.statistics()
    return figures.submits + figures.checks


def journal_pairs(runs: int) -> Iterator[Pair]:
    with server() as url, TemporaryDirectory() as folder:
        for number in range(runs):
            without = asyncio.run(cpu_a_request(url, None))
            journal = Timed(Path(folder) / f"{number}.db")
            journaled = asyncio.run(cpu_a_request(url, journal))
            yield Pair(without, journaled, quantiles(journal.waits, n=20)[-1])


@frozen
class Race:
    """Seconds that the same rows took."""

    bare: float
    """`generate_many` alone: no journal, no download, no manifest."""
    bulk: float

    @property
    def ratio(self) -> float:
        return self.bare / self.bulk


async def bare_run(url: str, prompts: list[str]) -> float:
    async with NanoBananaClient(KEY, base_url=url) as client:
        began = time.perf_counter()
        async for outcome in client.generate_many(prompts):
            assert outcome.result is not None  # noqa: S101 - no faults here
        return time.perf_counter() - began


async def bulk_run(url: str, prompts: list[str], folder: Path) -> float:
    source = folder / "prompts.txt"
    source.write_text("".join(f"{prompt}\n" for prompt in prompts))
    began = time.perf_counter()
    summary = await run(
        source, folder / "run", settings=BulkSettings(report=False), api_key=KEY, base_url=url
    )
    assert summary.states == {"succeeded": len(prompts)}  # noqa: S101 - likewise
    return time.perf_counter() - began


def races(runs: int) -> Iterator[Race]:
    prompts = [f"a cat, number {number}" for number in range(ROWS)]
    with server(2.0, 0.3) as url:
        for _ in range(runs):
            with TemporaryDirectory() as folder:
                bare = asyncio.run(bare_run(url, prompts))
                yield Race(bare, asyncio.run(bulk_run(url, prompts, Path(folder))))


def page(pairs: list[Pair], all_races: list[Race]) -> str:
    cpu = "\n".join(
        f"| {pair.without * 1e3:.2f} | {pair.journaled * 1e3:.2f} | {pair.ratio:.2f} "
        f"| {pair.p95 * 1e3:.1f} |"
        for pair in pairs
    )
    rows = "\n".join(
        f"| {race.bare:.1f} | {race.bulk:.1f} | {race.ratio:.3f} |" for race in all_races
    )
    machine = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"""# What a journal and a bulk run cost

Written by `python -m benchmarks.bulk --write docs/cost-of-bulk.md` ({machine}, two cores, the
emulator on one of them). Milliseconds depend on the machine, and how long a record takes on its disk.

## The journal

CPU of the client's process a request, at 10,000 requests a minute with 1,000 tasks in flight, every outcome
acknowledged; and how long 95 of 100 submits waited at most for their
record to be on the disk. Bounds: {MOST_CPU} and {MOST_DELAY * 1e3:.0f} ms.

| without, ms | with, ms | ratio | wait, ms |
| ---: | ---: | ---: | ---: |
{cpu}

Median of the ratios: **{median(pair.ratio for pair in pairs):.2f}**. Single runs on two noisy cores lie
between 1.1 and 1.35; most of it is the commits, some twenty to thirty a second, each of which has
the system write out a page.

## The run

Seconds for {ROWS:,} rows at the account's limits with short service times (2 s): `generate_many`
alone, and a bulk run that journals, downloads, checks and writes down each picture as well. Bound:
{LEAST_THROUGHPUT} of the throughput.

| `generate_many` alone, s | bulk run, s | throughput |
| ---: | ---: | ---: |
{rows}

Median: **{median(race.ratio for race in all_races):.3f}**.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Cost of the journal and of a bulk run.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", type=Path, help="write the page of the docs")
    arguments = parser.parse_args()
    pairs, all_races = [], []
    for pair in journal_pairs(arguments.runs):
        pairs.append(pair)
        print(pair, f"{pair.ratio:.2f}", flush=True)
    for race in races(arguments.runs):
        all_races.append(race)
        print(race, f"{race.ratio:.3f}", flush=True)
    if arguments.write:
        arguments.write.write_text(page(pairs, all_races))
    return not (
        median(pair.ratio for pair in pairs) <= MOST_CPU
        and median(pair.p95 for pair in pairs) <= MOST_DELAY
        and median(race.ratio for race in all_races) >= LEAST_THROUGHPUT
    )


if __name__ == "__main__":
    sys.exit(main())
