"""The example's relay: from the worker that a delivery reaches to the one that it is for."""

import asyncio
from pathlib import Path

from fastapi_app.relay import SharedRelay


async def test_two_deliveries_with_one_token_are_both_taken(tmp_path: Path) -> None:
    """Progress and end, at the same time: what is answered for one is not said of the other."""
    taken: list[bytes] = []

    async def take(body: bytes, token: str) -> int | None:
        taken.append(body)
        return 200 if token == "its own" else None

    here, there = SharedRelay(tmp_path), SharedRelay(tmp_path)
    leave = there.subscribe(take)
    statuses = await asyncio.gather(
        here.publish(b"progress", "its own"), here.publish(b"end", "its own")
    )
    assert list(statuses) == [200, 200]
    assert sorted(taken) == [b"end", b"progress"]
    leave()
    await there.aclose()
    await here.aclose()
