"""Ten thousand at once, on virtual time: full use of the limits, and never a refusal."""

import asyncio
import math
from collections.abc import Sequence

import pytest

from nanobanana_async import ImageResult, Limits
from nanobanana_async.emulator import LogNormal, Stalls
from tests.emulated import emulated

pytestmark = pytest.mark.virtual_time

N = 10_000
MEDIAN, SIGMA = 15.0, 0.6
MEAN = MEDIAN * math.exp(SIGMA**2 / 2)
# What nobody can beat: 1,000 slots for E[S] seconds each, and two requests a task.
BOUND = min(1_000 / MEAN, 10_000 / 120)


def throughput(accepted_at: Sequence[float]) -> float:
    """X = (n - k)/(a_n - a_k) with k = .15 n: without the start, when all slots are free."""
    n, k = len(accepted_at), round(0.15 * len(accepted_at))
    return (n - k) / (accepted_at[n - 1] - accepted_at[k - 1])


@pytest.mark.parametrize(
    ("round_trip", "stalls", "floor"),
    [(0.0, None, 0.825), (0.3, None, 0.815), (0.3, Stalls(period=60, length=2), None)],
    ids=["at once", "0.3 s away", "stalling for 2 s a minute"],
)
async def test_ten_thousand_at_once(
    round_trip: float, stalls: Stalls | None, floor: float | None
) -> None:
    """Refused requests are counted. A sliding window that never overflows is the strictest way to
    count: whatever fixed window there is, at any offset, it is one of the sliding ones.
    """
    async with emulated(
        service=LogNormal(MEDIAN, SIGMA),
        window="sliding",
        count_refused=True,
        round_trip=round_trip,
        stalls=stalls,
    ) as (client, wire):
        results = await asyncio.gather(*(client.generate(f"cat {n}") for n in range(N)))
        ledger = wire.core.ledger(asyncio.get_running_loop().time())
    assert all(isinstance(result, ImageResult) for result in results)
    assert len({result.task_id for result in results}) == N
    assert sum(ledger.refused.values()) == 0
    assert ledger.fullest_window <= 10_000
    assert ledger.most_tasks <= 1_000
    assert len(ledger.accepted_by_prompt) == ledger.accepted == N
    if floor is not None:
        assert throughput(ledger.accepted_at) >= floor * BOUND


@pytest.mark.parametrize("offset", [0.0, 17.0, 43.5])
@pytest.mark.parametrize("window", ["fixed", "bucket"])
async def test_other_ways_to_count_refuse_nothing_either(window: str, offset: float) -> None:
    """With a fifth of the limits on both sides, so that several minutes are full to the brim."""
    async with emulated(
        service=LogNormal(MEDIAN, SIGMA),
        requests_per_minute=2_000,
        concurrent_tasks=200,
        window=window,
        window_offset=offset,
        round_trip=0.3,
        client={"limits": Limits(requests_per_minute=2_000, concurrent_tasks=200)},
    ) as (client, wire):
        await asyncio.gather(*(client.generate(f"cat {n}") for n in range(2_000)))
        ledger = wire.core.ledger(asyncio.get_running_loop().time())
    assert sum(ledger.refused.values()) == 0
    assert ledger.accepted == 2_000
    assert 1_950 <= ledger.fullest_fixed_window <= 2_000
    assert 190 <= ledger.most_tasks <= 200
