"""The demo's run: an emulator, a client and a display, and in the end what the ledger saw."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from attrs import define, frozen

from nanobanana_async import Limits, NanoBananaClient
from nanobanana_async.cli._display import Display
from nanobanana_async.cli._exit_codes import DONE, MISSING, SIGNALLED
from nanobanana_async.cli._output import complain, put
from nanobanana_async.cli._signals import first_signal
from nanobanana_async.cli.demo._ends import Ends
from nanobanana_async.cli.demo._pictures import make_pictures
from nanobanana_async.cli.demo._progress import Progress, Snapshot
from nanobanana_async.cli.demo._sheet import NAME, draw_sheet
from nanobanana_async.cli.demo._slots import SlotMap
from nanobanana_async.cli.demo._summary import clean, demo_report, what_is_missing
from nanobanana_async.cli.demo._tally import Tally
from nanobanana_async.cli.demo._watch import watch
from nanobanana_async.cli.demo._wishes import wishes
from nanobanana_async.emulator import Emulator, Ledger

_KEY: Final = "sk-demo"
_LIMITS: Final = Limits()


@frozen
class Plan:
    """What the user asked for."""

    number: int
    folder: Path
    seed: int


async def run(plan: Plan, emulator: Emulator, display: Display[Snapshot]) -> int:
    """Return the exit code: 0, 1 where something is amiss, 128 and the number of a signal."""
    clock = asyncio.get_running_loop().time
    slots = SlotMap(_LIMITS.concurrent_tasks, clock)
    with first_signal() as stopped, _without_farewells():
        ends = Ends(emulator.ledger, clock())
        async with (
            emulator,
            NanoBananaClient(_KEY, base_url=emulator.url, telemetry=slots) as client,
        ):
            opening = f"{plan.number:,} pictures at once, from an emulator at {emulator.url}"
            complain(opening)
            work = _Work(plan, Tally(plan.number), clock())
            progress = Progress(work.tally, _LIMITS, slots, ends, work.began)
            with display:
                await watch(
                    work.do(client),
                    stopped,
                    display,
                    lambda: progress.snapshot(clock(), client.statistics()),
                )
    if stopped.done():
        put(f"Stopped: {work.tally.there():,} of {plan.number:,} pictures are in {plan.folder}")
        return SIGNALLED + stopped.result()
    return _told(work, emulator.ledger())


def build_emulator(speed: float, seed: int) -> Emulator:
    """Return an emulator that takes the demo's key."""
    try:
        return Emulator(api_key=_KEY, speed=speed, seed=seed)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@define
class _Work:
    """Makes the pictures, and their contact sheet."""

    plan: Plan
    tally: Tally
    began: float
    seconds: float = 0.0
    """How long the pictures took."""
    sheet: str = "none, as there is no picture"
    """Where it is, or why it is not there."""

    async def do(self, client: NanoBananaClient) -> None:
        plan = self.plan
        await make_pictures(client, wishes(plan.number, plan.seed), plan.folder, self.tally)
        self.seconds = asyncio.get_running_loop().time() - self.began
        if self.tally.files:
            self.sheet = await self._drawn()

    async def _drawn(self) -> str:
        path, files = self.plan.folder / NAME, sorted(self.tally.files)
        try:
            await draw_sheet(files, path)
        except OSError as error:
            return f"none, {path} cannot be written: {error.strerror}"
        number = len(files)
        return str(path) if number == self.tally.downloaded else f"{path}, with {number:,} of them"


def _told(work: _Work, ledger: Ledger) -> int:
    """Sum it all up, and return the exit code."""
    tally = work.tally
    if tally.missing:
        complain(what_is_missing(tally))
    seconds, folder = work.seconds, work.plan.folder
    put(demo_report(ledger, tally, _LIMITS, seconds, folder=folder, sheet=work.sheet))
    return DONE if clean(ledger, tally) else MISSING


@contextmanager
def _without_farewells() -> Iterator[None]:
    """Keep the client from naming the tasks that it leaves, and pictures that nobody fetched.

    There is no use in that: the emulator ends with it.
    """

    def wanted(record: logging.LogRecord) -> bool:
        return not (hasattr(record, "task_ids") or hasattr(record, "urls"))

    logger = logging.getLogger("nanobanana_async")
    logger.addFilter(wanted)
    try:
        yield
    finally:
        logger.removeFilter(wanted)
