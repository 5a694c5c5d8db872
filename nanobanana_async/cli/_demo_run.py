"""The demo's run: an emulator, a client and a display, and in the end what the ledger saw."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import click
from attrs import frozen

from nanobanana_async import Limits, NanoBananaClient
from nanobanana_async.cli._display import Display
from nanobanana_async.cli._pictures import make_pictures
from nanobanana_async.cli._progress import Progress, Snapshot
from nanobanana_async.cli._report import clean, demo_report
from nanobanana_async.cli._signals import first_signal
from nanobanana_async.cli._tally import Tally
from nanobanana_async.cli._watch import watch
from nanobanana_async.cli._wishes import wishes
from nanobanana_async.emulator import Emulator

_KEY: Final = "sk-demo"
_LIMITS: Final = Limits()
_SIGNALLED: Final = 128


@frozen
class Plan:
    """What the user asked for."""

    number: int
    folder: Path
    seed: int


async def run(plan: Plan, emulator: Emulator, display: Display[Snapshot]) -> int:
    """Return the exit code: 0, 1 where something is amiss, 128 and the number of a signal."""
    tally = Tally(plan.number)
    with first_signal() as stopped, _without_farewells():
        async with emulator, NanoBananaClient(_KEY, base_url=emulator.url) as client:
            click.echo(f"{plan.number:,} pictures at once, from an emulator at {emulator.url}")
            last = await _make(plan, client, tally, display, stopped)
    if stopped.done():
        click.echo(
            f"Stopped: {tally.downloaded:,} of {tally.total:,} pictures are in {plan.folder}"
        )
        return _SIGNALLED + stopped.result()
    ledger = emulator.ledger()
    click.echo(demo_report(ledger, tally, _LIMITS, last.seconds))
    click.echo(f"The pictures are in {plan.folder}")
    return 0 if clean(ledger, tally) else 1


def build_emulator(speed: float, seed: int) -> Emulator:
    """Return an emulator that takes the demo's key."""
    try:
        return Emulator(api_key=_KEY, speed=speed, seed=seed)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def make_folder(folder: Path) -> None:
    """Make the folder, and find out now whether it can be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise click.UsageError(f"cannot write into {folder}: {error.strerror}") from None


async def _make(
    plan: Plan,
    client: NanoBananaClient,
    tally: Tally,
    display: Display[Snapshot],
    stopped: asyncio.Future[Any],
) -> Snapshot:
    clock = asyncio.get_running_loop().time
    progress = Progress(tally, _LIMITS, clock())
    with display:
        return await watch(
            make_pictures(client, wishes(plan.number, plan.seed), plan.folder, tally),
            stopped,
            display,
            lambda: progress.snapshot(clock(), client.statistics()),
        )


@contextmanager
def _without_farewells() -> Iterator[None]:
    """Keep the client from listing the tasks it leaves: the emulator ends with it."""

    def wanted(record: logging.LogRecord) -> bool:
        return not hasattr(record, "task_ids")

    logger = logging.getLogger("nanobanana_async")
    logger.addFilter(wanted)
    try:
        yield
    finally:
        logger.removeFilter(wanted)
