"""The browser, once for all tests, and the folders that it opens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nanobanana_async.bulk.report import write_report
from tests.browser.browser import DESKTOP, Browser, chromium
from tests.bulk.report_folder import write_lines, write_run

ROWS = 300
BAD = {17, 111, 112, 200, 299}


@pytest.fixture(scope="session")
def _chromium() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 rows, five of which went wrong, and a rejected line."""
    place = tmp_path_factory.mktemp("run")
    animals = ("cat", "dog", "fox")
    prompts = [f"a {animals[n % 3]} under lamp {n + 1}" for n in range(ROWS)]
    write_run(place, prompts, bad=BAD)
    faults = [{"field": "prompt", "reason": "is empty"}]
    write_lines(place, [{"line": 302, "key": "castle", "faults": faults}], "rejected.jsonl")
    write_report(place)
    return place


@pytest.fixture
def browser(_chromium: Browser) -> Iterator[Browser]:
    """A desktop, and at the end no complaint of the page that was open."""
    _chromium.look(*DESKTOP)
    _chromium.complaints()
    _chromium.requests()
    yield _chromium
    assert not _chromium.complaints()


@pytest.fixture
def page(browser: Browser, folder: Path) -> Browser:
    """The report of `folder`, just opened."""
    browser.open(folder)
    return browser
