"""Killed, interrupted, out of disk: typed again, the same command ends with every picture once."""

import asyncio
import signal
from pathlib import Path
from random import Random

import pytest

from nanobanana_async.emulator import Emulator, LogNormal
from tests.bulk.command import Command, write_prompts

KILLS = 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "prompts.txt"


@pytest.mark.takes_long
async def test_killed_twenty_times(tmp_path: Path, source: Path) -> None:
    prompts, dice = write_prompts(source, 2000), Random(7)
    service = LogNormal(1.0, 0.5)
    async with Emulator(
        service=service, requests_per_minute=100_000, concurrent_tasks=400
    ) as emulator:
        limits = ("--requests-per-minute", "100000", "--concurrent-tasks", "400", "--no-report")
        command = Command(emulator, source, tmp_path / "run", limits)
        unfinished = 0
        for _ in range(KILLS):
            process = await command.start()
            await asyncio.sleep(dice.uniform(0.5, 1.3))
            if process.returncode is None:
                unfinished += 1
                process.kill()
            await process.communicate()
        code, out, err = await command.run()
        assert unfinished > KILLS / 2
        command.check(prompts)
        states = command.states()
        # Unknown are those whose submit was under way at a kill.
        assert set(states) <= {"succeeded", "unknown"}, err
        assert states["unknown"] < 400
        assert code == (1 if states["unknown"] else 0), out
        assert emulator.ledger().refused["rate"] == 0


@pytest.mark.parametrize("times", [1, 2])
async def test_interrupted(tmp_path: Path, source: Path, times: int) -> None:
    """Once: what runs is finished. Twice: it is left, and picked up by the next run."""
    prompts = write_prompts(source, 250)
    service = LogNormal(1.5, 0.3)
    async with Emulator(service=service, concurrent_tasks=50) as emulator:
        limits = ("--concurrent-tasks", "50", "--no-report")
        command = Command(emulator, source, tmp_path / "run", limits)
        process = await command.start()
        await asyncio.sleep(2.5)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.2)
        _, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 130, err
        assert b"Stopping: nothing new is submitted" in err
        assert b"nanobanana bulk" in err
        accepted = emulator.ledger().accepted
        assert 0 < accepted < 250
        done = len(command.raw_lines())
        assert done == accepted if times == 1 else done < accepted
        code, out, err_text = await command.run()
        assert code == 0, out + err_text
        command.check(prompts)
        assert command.states() == {"succeeded": 250}
