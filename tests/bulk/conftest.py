"""What tests of bulk runs share."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nanobanana_async import _tracker
from nanobanana_async.emulator import Emulator
from tests.bulk.bench import QUICK, Bench
from tests.bulk.command import write_prompts


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def make(count: int = 30, **settings: Any) -> AsyncIterator[Bench]:
        source = tmp_path / "prompts.txt"
        prompts = write_prompts(source, count)
        async with Emulator(**{"service": QUICK} | settings) as emulator:
            yield Bench(emulator, tmp_path / "run", source, prompts)

    return make


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that the API does not know is given up after a second and not after up to 600."""
    monkeypatch.setattr(_tracker, "_MISSING_PATIENCE", {False: 1.0, True: 1.0})
