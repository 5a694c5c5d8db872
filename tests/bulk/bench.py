"""Runs in the process of the test, and the system calls that they make."""

import asyncio
import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from nanobanana_async.bulk import BulkSettings, Progress, Summary, run
from nanobanana_async.emulator import Emulator, Stuck
from tests.bulk.command import Command

QUICK = Stuck(0.2)


@define
class Bench:
    """An emulator, an input and a folder."""

    emulator: Emulator
    folder: Path
    source: Path
    prompts: dict[str, str] = field(factory=dict)

    async def run(
        self,
        stop: asyncio.Event | None = None,
        progress: Progress | None = None,
        client: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Summary:
        options = {"api_key": "sk-emulator", "base_url": self.emulator.url} | (client or {})
        return await run(
            self.source,
            self.folder,
            settings=BulkSettings(**{"report": False} | settings),
            stop=stop,
            progress=progress,
            **options,
        )

    def lines(self) -> dict[str, dict[str, Any]]:
        return Command(self.emulator, self.source, self.folder).lines()

    def states(self) -> Counter[str]:
        return Counter(line["state"] for line in self.lines().values())

    def check(self) -> None:
        Command(self.emulator, self.source, self.folder).check(self.prompts)


def breaking(
    monkeypatch: pytest.MonkeyPatch, name: str, after: int, matches: Callable[..., bool]
) -> None:
    """Let a call of the system fail for want of room, from some call on."""
    real, calls = getattr(os, name), 0

    def fail(descriptor: int, *rest: Any) -> Any:
        nonlocal calls
        if matches(Path(f"/proc/self/fd/{descriptor}").readlink().name):
            calls += 1
            if calls > after:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, *rest)

    monkeypatch.setattr(os, name, fail)
