"""A bulk run as a process of its own, and what it leaves, held against the emulator's ledger."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define

from nanobanana_async.emulator import Emulator, Picture
from nanobanana_async.emulator._pictures import draw

BULK = [sys.executable, "-m", "nanobanana_async.cli", "bulk"]
LIMITS = ("--requests-per-minute", "100000", "--concurrent-tasks", "10000")
"""The account's, tenfold."""


@define
class Command:
    """`nanobanana bulk source -o folder …`, again and again."""

    emulator: Emulator
    source: Path
    folder: Path
    options: tuple[str, ...] = ()

    async def start(self, *more: str) -> Process:
        environment = os.environ | {
            "APIXO_API_KEY": "sk-emulator",
            "APIXO_BASE_URL": self.emulator.url,
        }
        words = [*BULK, str(self.source), "-o", str(self.folder), *self.options, *more]
        return await asyncio.create_subprocess_exec(
            *words, stdout=PIPE, stderr=PIPE, env=environment
        )

    async def run(self, *more: str, within: float = 100.0) -> tuple[int, str, str]:
        """Run it to its end; exit code, stdout, stderr."""
        process = await self.start(*more)
        try:
            async with asyncio.timeout(within):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            out, err = await process.communicate()
            raise AssertionError(f"still running: {out.decode()[-800:]} {err.decode()}") from None
        return process.returncode or 0, out.decode(), err.decode()

    def raw_lines(self) -> list[bytes]:
        return (self.folder / "results.jsonl").read_bytes().splitlines()

    def lines(self) -> dict[str, dict[str, Any]]:
        """The manifest by key; there is one line a row."""
        lines = [json.loads(line) for line in self.raw_lines()]
        assert len({line["key"] for line in lines}) == len(lines)
        return {line["key"]: line for line in lines}

    def states(self) -> Counter[str]:
        return Counter(line["state"] for line in self.lines().values())

    def check(self, prompts: dict[str, str]) -> None:
        """Every accepted task is accounted for, once, and every picture is the one that was served.

        Args:
            prompts: of every row, by its key.
        """
        ledger, lines = self.emulator.ledger(), self.lines()
        assert ledger.accepted_twice == {}
        assert lines.keys() == prompts.keys()
        for key, line in lines.items():
            assert line["request"]["prompt"] == prompts[key]
            if ledger.accepted_by_prompt.get(prompts[key], 0) == 0:
                assert line["state"] in ("unknown", "refused"), line
            elif line["state"] not in ("succeeded", "unknown"):
                assert line["task_id"] is not None, line
            if line["state"] != "succeeded":
                assert line["error"]["message"], line
        self._check_pictures(lines)
        assert not list((self.folder / "images").glob("*.part"))

    def _check_pictures(self, lines: dict[str, dict[str, Any]]) -> None:
        files = set()
        for line in lines.values():
            if line["state"] != "succeeded":
                continue
            (picture,) = line["pictures"]
            files.add(picture["file"])
            content = (self.folder / picture["file"]).read_bytes()
            assert sha256(content).hexdigest() == picture["sha256"]
            size = picture["width"], picture["height"]
            drawn = draw(Picture(line["request"]["prompt"], *size, picture["format"]))
            assert content == drawn, f"{picture['file']} is not what was served"
        assert files == {f"images/{file.name}" for file in (self.folder / "images").glob("*")}


def write_prompts(path: Path, count: int) -> dict[str, str]:
    """A prompt a line; by key."""
    prompts = {str(n): f"cat {n}" for n in range(1, count + 1)}
    path.write_text("".join(f"{prompt}\n" for prompt in prompts.values()))
    return prompts
