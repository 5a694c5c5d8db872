"""The whole of it in real time, over real sockets: the client against the emulator's HTTP front."""

import asyncio
import gc
from pathlib import Path

import pytest

from nanobanana_async import ImageResult, NanoBananaClient
from nanobanana_async.emulator import Emulator, LogNormal

N = 3_000


def open_sockets() -> int:
    """Count this process's sockets."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(link.readlink().name.startswith("socket:") for link in links)


@pytest.mark.timeout(240)
async def test_three_thousand_at_the_account_s_real_limits() -> None:
    """The invariants of the test in virtual time, with nothing left afterwards (contract 3)."""
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    async with Emulator(service=LogNormal(2, 0.6), window="sliding") as emulator:
        async with NanoBananaClient("sk-emulator", base_url=emulator.url) as client:
            calls = (client.generate(f"cat {number}") for number in range(N))
            results = await asyncio.gather(*calls)
            figures = client.statistics()
        ledger = emulator.ledger()
    assert all(isinstance(result, ImageResult) for result in results)
    assert len({result.task_id for result in results}) == N
    assert sum(ledger.refused.values()) == 0
    assert ledger.fullest_window <= 10_000
    assert ledger.most_tasks <= 1_000
    assert len(ledger.accepted_by_prompt) == ledger.accepted == N
    assert ledger.keys_leaked == 0
    assert (figures.in_flight, figures.queued, figures.slots_left) == (0, 0, 1_000)
    await asyncio.sleep(0)
    gc.collect()
    assert asyncio.all_tasks() == tasks
    assert open_sockets() == sockets
