"""The pages that promise to be complete are: all errors, commands, exit codes, fields of the log."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import nanobanana_async
from nanobanana_async import NanoBananaError, bulk
from nanobanana_async.cli import _exit_codes
from nanobanana_async.cli._group import nanobanana
from nanobanana_async.cli.jobs._job import End

DOCS = Path(__file__).parent.parent / "docs"
FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef
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


def logged_fields(function: ast.AST) -> Iterator[str]:
    """The keys of what it gives a logger as `extra=`, directly or by a name."""
    inside = list(ast.walk(function))
    extras = [
        each.value for each in inside if isinstance(each, ast.keyword) and each.arg == "extra"
    ]
    parts = [part for extra in extras for part in ast.walk(extra)]
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    for each in inside:
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) in names:
            parts += ast.walk(each.value)
    keys = (key for part in parts if isinstance(part, ast.Dict) for key in part.keys)
    yield from (str(key.value) for key in keys if isinstance(key, ast.Constant))


def test_each_field_of_a_log_record_is_listed() -> None:
    package = Path(nanobanana_async.__file__).parent
    code = (ast.walk(ast.parse(path.read_text())) for path in package.rglob("*.py"))
    functions = (each for nodes in code for each in nodes if isinstance(each, FUNCTIONS))
    logged = {name for function in functions for name in logged_fields(function)}
    paragraphs = (DOCS / "howto/logging.md").read_text().split("\n\n")
    (listed,) = (each for each in paragraphs if each.startswith("Ids and figures are fields"))
    named = re.findall(r"`(\w+)`", listed)
    assert len(named) > 9
    assert sorted(named) == sorted(logged)


@pytest.mark.parametrize("name", ["budget-over-a-run.svg", "timers.svg"])
def test_a_drawing_says_what_it_shows(name: str) -> None:
    picture = ET.parse(DOCS / "pictures" / name).getroot()  # noqa: S314 - ours
    assert picture.get("role") == "img"
    assert picture.findtext(f"{SVG}title")
    assert picture.findtext(f"{SVG}desc")
