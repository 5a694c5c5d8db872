"""Ten thousand rows, in the memory of a few; a thousand in a storm of faults."""

from pathlib import Path

import pytest

from tests.bulk.volume import MOST_MEMORY, volume


@pytest.mark.timeout(300)
async def test_ten_thousand_rows_take_no_more_memory_than_a_hundred_thousand_may(
    tmp_path: Path,
) -> None:
    done = await volume(tmp_path, 10_000, seconds=2.0)
    assert done.states == {"succeeded": 10_000}
    assert done.memory <= MOST_MEMORY
