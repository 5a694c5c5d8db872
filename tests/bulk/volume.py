"""Very many rows through one command, with or without trouble.

`make soak`, or ``python -m tests.bulk.volume --rows 10000 --faults 0.005``.
"""

import argparse
import asyncio
import sys
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from nanobanana_async.emulator import Emulator, LogNormal
from nanobanana_async.emulator._faults import FAULTS
from tests.bulk.command import LIMITS, Command, write_prompts

MIB = 1 << 20
MOST_MEMORY = 150 * MIB
"""Bytes of the whole process, at its peak."""


@frozen
class Volume:
    """What a run of many rows took."""

    seconds: float
    memory: int
    """Bytes, at the peak."""
    states: Counter[str]


def every_fault(chance: float) -> Mapping[str, float]:
    """All that can happen to one request, but for a task that is forgotten after it was seen: that
    one is looked for during ten minutes, as it must be.
    """
    return dict.fromkeys(FAULTS.keys() - {"check_forgotten", "check_forgotten_after"}, chance)


async def volume(folder: Path, rows: int, *, seconds: float, faults: float = 0.0) -> Volume:
    """Send that many rows through one command, and hold what it leaves against the ledger."""
    source = folder / "prompts.txt"
    prompts = write_prompts(source, rows)
    options = (*LIMITS, "--no-report", "--output-format", "jpeg", "--retry-failed")
    async with Emulator(
        service=LogNormal(seconds, 0.4),
        faults=every_fault(faults) if faults else {},
        requests_per_minute=100_000,
        concurrent_tasks=10_000,
    ) as emulator:
        command = Command(emulator, source, folder / "run", options)
        began = time.monotonic()
        process = await command.start("--quiet")
        watching = asyncio.create_task(_peak(process))
        _, err = await process.communicate()
        took, memory = time.monotonic() - began, await watching
        # What could not be fetched is fetched by the next run; it sends nothing.
        for _ in range(10):
            if command.states()["download_failed"] == 0:
                break
            await command.run("--quiet", within=600)
        command.check(prompts)
        assert process.returncode in (0, 1), err
        return Volume(took, memory, command.states())


async def _peak(process: Process) -> int:
    """The most memory that the process has had, in bytes."""
    peak = 0
    while process.returncode is None:
        with suppress(OSError, IndexError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, int(status.partition("VmHWM:")[2].split()[0]) * 1024)
        await asyncio.sleep(0.1)
    return peak


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=8.0, help="median service time")
    options.add_argument("--faults", type=float, default=0.0, help="probability of each fault")
    chosen = options.parse_args()
    with TemporaryDirectory() as folder:
        done = asyncio.run(
            volume(Path(folder), chosen.rows, seconds=chosen.seconds, faults=chosen.faults)
        )
    told = ", ".join(f"{number:,} {state}" for state, number in done.states.most_common())
    print(  # noqa: T201 - a command's output
        f"{chosen.rows:,} rows in {done.seconds:.0f} s: {told}; {done.memory / MIB:.0f} MiB at most"
    )
    return 0 if done.memory <= MOST_MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
