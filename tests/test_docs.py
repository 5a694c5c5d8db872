"""README and docs: each example runs, each link leads somewhere, and what is drawn is up to date."""

import ast
import asyncio
import logging
import re
import threading
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from diagrams import DIAGRAMS
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from nanobanana_async.emulator import Emulator

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
TO_TRY = [DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md"))]
# What is not Python, but for the files of the page about tests: `tests/plugin/test_howto.py` runs those.
NOT_RUN = {"console", "text", "toml", "{commands}", "{eval-rst}"}
PUBLIC = (
    "nanobanana_async",
    "nanobanana_async.bulk",
    "nanobanana_async.bulk.report",
    "nanobanana_async.emulator",
    "nanobanana_async.telemetry",
    "nanobanana_async.testing",
    "nanobanana_async.webhooks.aiohttp",
    "nanobanana_async.webhooks.asgi",
)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose_of(page: Path) -> str:
    """Its text without code in fences."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def languages_of(page: Path) -> set[str]:
    """What is said to be in its fences."""
    fences = re.findall(r"^\s*```(.*)$", page.read_text(), re.MULTILINE)
    assert not any(fences[1::2])
    return set(fences[::2])


def examples_of(text: str) -> ast.Module:
    """All its Python, as a program."""
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return ast.parse("".join(blocks))


def anchors_of(page: Path) -> set[str]:
    """The names that GitHub and the site give to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An emulator in a thread, the environment of a user, and an empty folder to work in."""
    logger = logging.getLogger("nanobanana_async")
    level = logger.level
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
    logger.setLevel(level)
    loop.call_soon_threadsafe(stop.set)
    thread.join()


WITH_EXAMPLES = [page for page in PAGES if "\n```python\n" in page.read_text()]


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_every_example_of_a_page_runs_in_order(page: Path) -> None:
    document = Sybil([PythonCodeBlockParser()], path=str(page.parent)).parse(page)
    examples = list(document.examples())
    assert len(examples) == page.read_text().count("\n```python\n")
    for example in examples:
        example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_is_python_says_so_and_so_is_run(page: Path) -> None:
    tried_elsewhere = {"py"} if name_of(page) == "docs/howto/testing.md" else set()
    assert languages_of(page) <= {"python"} | NOT_RUN | tried_elsewhere


@pytest.mark.parametrize("page", ["index.md", "tutorial.md"])
def test_one_failure_loses_no_picture_of_who_begins(page: str) -> None:
    text = (DOCS / page).read_text().partition("## Tests without a network")[0]
    calls = [node for node in ast.walk(examples_of(text)) if isinstance(node, ast.Call)]
    (gathered,) = (call for call in calls if ast.unparse(call.func) == "asyncio.gather")
    assert [keyword.arg for keyword in gathered.keywords] == ["return_exceptions"]


@pytest.mark.parametrize("page", TO_TRY, ids=name_of)
def test_who_wants_to_do_something_finds_something_to_type(page: Path) -> None:
    assert re.search(r"^```(python|console)$", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", prose_of(page)):
        path, _, anchor = target.partition("#")
        goal = page.parent / path if path else page
        assert goal.exists(), target
        assert not anchor or anchor in anchors_of(goal), target


def test_the_diagrams_are_what_the_code_says() -> None:
    """If this fails: `python docs/pictures/diagrams.py`."""
    for name, draw in DIAGRAMS.items():
        assert (DOCS / "pictures" / name).read_text() == draw(), name


def test_pictures_load_nothing_from_elsewhere() -> None:
    drawn = [*DOCS.rglob("*.svg")]
    assert len(drawn) > 9
    for picture in drawn:
        assert not re.search(r"(href=|url\(|@import)\W{0,2}https?:", picture.read_text()), picture


def test_the_reference_has_each_public_name_once() -> None:
    pages = "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    shown = Counter(re.findall(r"^\.\. auto\w+:: (\S+)$", pages, re.MULTILINE))
    public = {f"{module}.{name}" for module in PUBLIC for name in import_module(module).__all__}
    plugin = (ROOT / "nanobanana_async" / "pytest_plugin.py").read_text()
    fixtures = re.findall(r"^@pytest\.fixture\ndef (\w+)", plugin, re.MULTILINE)
    public |= {f"nanobanana_async.pytest_plugin.{name}" for name in fixtures}
    assert shown == Counter(public - {"nanobanana_async.__version__"})


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_tests_that_the_guarantees_name_exist() -> None:
    page = (DOCS / "explain" / "guarantees.md").read_text()
    named = set(re.findall(r"`((?:bulk/|web/)?test_\w+\.py)(?:::(\w+))?`", page))
    assert len(named) > 15
    for file, test in named:
        source = (ROOT / "tests" / file).read_text()
        assert not test or re.search(rf"^(class|(async )?def) {test}\b", source, re.MULTILINE), test
