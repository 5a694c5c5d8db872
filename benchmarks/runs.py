"""One run: a contender on a service time, under conditions, on a loop and an emulator of its own."""

from __future__ import annotations

import asyncio
import random

from attrs import asdict, frozen

from benchmarks.contenders import CLIENTS, CONTENDERS, LEARNED, Job
from benchmarks.figures import Figures, of_ledger
from benchmarks.scenarios import SCENARIOS, TYPICAL, Scenario
from nanobanana_async.emulator import (
    Emulator,
    EmulatorCore,
    Ledger,
    MemoryTransport,
    Settings,
    run_virtual,
)

__all__ = ["Run", "execute"]

EPOCH = 1_800_000_000.0


@frozen(kw_only=True)
class Run:
    """Names and numbers only, so that it can be sent to another process."""

    scenario: str = TYPICAL
    contender: str = LEARNED
    seed: int = 1
    tasks: int | None = None
    """Where it is not the scenario's own number."""
    in_flight: int | None = None
    round_trip: float = 0.0
    freed_late: float = 0.0
    """Seconds from a task's end until its place is free."""
    count_refused: bool = True
    sockets: bool = False
    """Over HTTP, on the same virtual clock."""

    @property
    def name(self) -> str:
        """What it is, in words."""
        conditions = {
            f"seed {self.seed}": True,
            f"{self.tasks} tasks": self.tasks is not None,
            f"{self.in_flight} in flight": self.in_flight is not None,
            f"{self.round_trip} s away": self.round_trip > 0,
            f"freed {self.freed_late} s late": self.freed_late > 0,
            "refused not counted": not self.count_refused,
            "sockets": self.sockets,
        }
        holds = (condition for condition, true in conditions.items() if true)
        return ", ".join([self.scenario, self.contender, *holds])

    @property
    def of(self) -> Scenario:
        return SCENARIOS[self.scenario]

    @property
    def job(self) -> Job:
        return Job(self.tasks or self.of.tasks, self.of.resolutions, self.in_flight)

    def settings(self) -> Settings:
        """Return the emulator's: the strictest way to count."""
        return Settings(
            seed=self.seed,
            service=self.of.service(self.job.tasks),
            window="sliding",
            count_refused=self.count_refused,
            freed_late=self.freed_late,
        )


def execute(run: Run) -> Figures:
    """Do it, in virtual time; the same figures at every call."""
    random.seed(run.seed)
    ledger = run_virtual(_over_sockets(run) if run.sockets else _in_memory(run))
    if ledger.finished_seen < run.job.tasks:
        raise RuntimeError(f"{run}: {ledger.finished_seen} tasks of {run.job.tasks} were made")
    return of_ledger(ledger, run.of.warm_up, settled_lag=run.of.settled_lag)


async def _in_memory(run: Run) -> Ledger:
    core = EmulatorCore(run.settings(), epoch=EPOCH)
    transport = MemoryTransport(core, round_trip=run.round_trip)
    await CONTENDERS[run.contender].work(transport, run.job)
    return core.ledger(asyncio.get_running_loop().time())


async def _over_sockets(run: Run) -> Ledger:
    contender = CLIENTS[run.contender]
    async with Emulator(**asdict(run.settings(), recurse=False)) as emulator:
        async with contender.opened(base_url=emulator.url) as client:
            await contender.generate(client, run.job)
        return emulator.ledger()
