"""Thousands of rows, in the memory of a few; a hundred thousand are in `make soak`."""

from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from nanobanana_async.emulator import Emulator
from tests.bulk.command import Command
from tests.bulk.volume import MOST_MEMORY, volume


def _cpu() -> float:
    """CPU seconds of the commands that have ended."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.takes_long
@pytest.mark.timeout(300)
async def test_five_thousand_rows_take_no_more_memory_than_a_hundred_thousand_may(
    tmp_path: Path,
) -> None:
    done = await volume(tmp_path, 5_000, seconds=2.0)
    assert done.states == {"succeeded": 5_000}
    assert done.memory <= MOST_MEMORY


async def test_fifty_thousand_rows_that_are_done_end_at_once_and_send_nothing(
    tmp_path: Path,
) -> None:
    source, folder = tmp_path / "prompts.csv", tmp_path / "run"
    rows = range(1, 50_001)
    source.write_text("prompt\n" + "".join(f'"a cat, number {number}"\n' for number in rows))
    async with Emulator() as emulator:
        command = Command(emulator, source, folder, ("--quiet", "--no-report"))
        process = await command.start("--budget", "0", "--price", "1")  # checks all, sends none
        await process.communicate()
        assert process.returncode == 3
        line = (
            '{{"key":"{0}","state":"succeeded","task_id":"task_{0:016x}","attempt":{0},"attempts":1,'
            '"request":{{"prompt":"a cat, number {0}"}},"urls":["https://example.com/{0}.png"],'
            '"pictures":[{{"url":"https://example.com/{0}.png","file":"images/{0}.png","bytes":1,'
            '"sha256":"{0:064x}","format":"png","width":1024,"height":1024}}],"created_at":null,'
            '"completed_at":null,"service_time":1.5,"recorded_at":"2026-01-01T00:00:00.000+00:00",'
            '"error":null}}\n'
        )
        (folder / "results.jsonl").write_text("".join(line.format(number) for number in rows))
        before = _cpu()
        code, out, err = await command.run()
        assert _cpu() - before < 3  # CPU: other tests run beside this one
        assert (code, out, err) == (0, "", "")
        assert sum(emulator.ledger().requests.values()) == 0
