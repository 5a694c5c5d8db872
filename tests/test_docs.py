"""README and docs: each example runs, and what is drawn from the code is up to date."""

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from nanobanana_async._lifecycle import drawing
from nanobanana_async.emulator import Emulator

ROOT = Path(__file__).parent.parent
# Explanations have none.
EXAMPLES = {
    "README.md": 4,
    "bulk.md": 1,
    "journal.md": 2,
    "telemetry.md": 1,
    "tutorial.md": 6,
    "webhooks.md": 3,
}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An emulator in a thread, the environment of a user, and an empty folder to work in."""
    started, stop = threading.Event(), asyncio.Event()
    running: list[tuple[asyncio.AbstractEventLoop, str]] = []

    async def serve() -> None:
        async with Emulator(speed=100) as emulator:
            running.append((asyncio.get_running_loop(), emulator.url))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    started.wait()
    loop, url = running[0]
    monkeypatch.setenv("APIXO_API_KEY", "sk-emulator")
    monkeypatch.setenv("APIXO_BASE_URL", url)
    monkeypatch.chdir(tmp_path)
    yield
    loop.call_soon_threadsafe(stop.set)
    thread.join()


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_of_a_page_runs_in_order(page: Path) -> None:
    document = Sybil([PythonCodeBlockParser()], path=str(page.parent)).parse(page)
    examples = list(document.examples())
    assert len(examples) == EXAMPLES.get(page.name, 0)
    for example in examples:
        example.evaluate()


def test_the_diagram_is_the_table() -> None:
    page = (ROOT / "docs" / "explain" / "life-of-a-task.md").read_text()
    assert f"```mermaid\n{drawing()}\n```" in page


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_tests_that_the_guarantees_name_exist() -> None:
    page = (ROOT / "docs" / "explain" / "guarantees.md").read_text()
    named = set(re.findall(r"`((?:bulk/|web/)?test_\w+\.py)(?:::(\w+))?`", page))
    assert len(named) > 15
    for file, test in named:
        source = (ROOT / "tests" / file).read_text()
        assert not test or re.search(rf"^(class|(async )?def) {test}\b", source, re.MULTILINE), test
