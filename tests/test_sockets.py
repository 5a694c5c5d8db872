"""The whole of it in real time, over real sockets: the client against the emulator's HTTP front."""

import asyncio
import gc
from pathlib import Path

import pytest

from nanobanana_async import ImageResult, Limits, NanoBananaClient
from nanobanana_async.emulator import Emulator, LogNormal

N = 3_000
MINUTE = 6_000
SLOTS = 150


def open_sockets() -> int:
    """Count this process's sockets."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(link.readlink().name.startswith("socket:") for link in links)


@pytest.mark.takes_long
@pytest.mark.timeout(240)
async def test_three_thousand_over_real_sockets_at_limits_that_are_reached() -> None:
    """The invariants of the test in virtual time, with nothing left afterwards (contract 3).

    The limits are lower than an account's, so that both are reached within the test's minute.
    """
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    async with Emulator(
        service=LogNormal(2, 0.6), requests_per_minute=MINUTE, concurrent_tasks=SLOTS
    ) as emulator:
        async with NanoBananaClient(
            "sk-emulator", base_url=emulator.url, limits=Limits(MINUTE, SLOTS)
        ) as client:
            calls = (client.generate(f"cat {number}") for number in range(N))
            results = await asyncio.gather(*calls)
            figures = client.statistics()
        ledger = emulator.ledger()
    assert all(isinstance(result, ImageResult) for result in results)
    assert len({result.task_id for result in results}) == N
    assert sum(ledger.refused.values()) == 0
    assert 0.95 * MINUTE <= ledger.fullest_window <= MINUTE
    # The client's slots also cover the time until it sees that a task has ended.
    assert 0.85 * SLOTS <= ledger.most_tasks <= SLOTS
    assert len(ledger.accepted_by_prompt) == ledger.accepted == N
    assert ledger.keys_leaked == 0
    assert (figures.in_flight, figures.queued, figures.slots_left) == (0, 0, SLOTS)
    await asyncio.sleep(0)
    gc.collect()
    assert asyncio.all_tasks() == tasks
    assert open_sockets() == sockets
