"""The pages that promise to be complete are: all errors, all commands, all exit codes."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import nanobanana_async
from nanobanana_async import NanoBananaError, bulk
from nanobanana_async.cli import _exit_codes
from nanobanana_async.cli._group import nanobanana
from nanobanana_async.cli.jobs._job import End

DOCS = Path(__file__).parent.parent / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def first_cells(page: str, pattern: str) -> list[str]:
    """What the first column of the page's tables holds, where it looks like `pattern`."""
    return re.findall(rf"^\| {pattern} \|", (DOCS / page).read_text(), re.MULTILINE)


def test_each_error_has_one_row_in_the_table() -> None:
    public = (
        getattr(module, name) for module in (nanobanana_async, bulk) for name in module.__all__
    )
    errors = [each for each in public if isinstance(each, type) and issubclass(each, Exception)]
    assert all(issubclass(error, NanoBananaError) for error in errors)
    rows = first_cells("howto/errors.md", r"`([A-Za-z]+Error)`")
    assert sorted(rows) == sorted(error.__name__ for error in errors)


def test_each_command_has_a_row_and_an_example() -> None:
    page = (DOCS / "howto/command-line.md").read_text()
    rows = first_cells("howto/command-line.md", r"\[`([\w-]+)`\]\(#[\w-]+\)")
    assert sorted(rows) == sorted(nanobanana.commands)
    for command in nanobanana.commands:
        assert re.search(rf"(^\$ .*|\()nanobanana {command} ?", page, re.MULTILINE), command


def test_each_exit_code_has_a_row() -> None:
    said = {int(code) for code in first_cells("howto/command-line.md", r"(\d+)")}
    known = {value for value in vars(_exit_codes).values() if isinstance(value, int)}
    signalled = {_exit_codes.SIGNALLED + number for number in (2, 15)}
    assert said == known - {_exit_codes.SIGNALLED} | signalled


def test_each_state_of_json_has_a_row() -> None:
    assert sorted(first_cells("howto/command-line.md", r"`([a-z_]+)`")) == sorted(
        end.value for end in End
    )


@pytest.mark.parametrize("name", ["budget-over-a-run.svg", "timers.svg"])
def test_a_drawing_says_what_it_shows(name: str) -> None:
    picture = ET.parse(DOCS / "pictures" / name).getroot()  # noqa: S314 - ours
    assert picture.get("role") == "img"
    assert picture.findtext(f"{SVG}title")
    assert picture.findtext(f"{SVG}desc")
