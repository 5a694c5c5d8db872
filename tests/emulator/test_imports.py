"""The emulator is an independent oracle: it shares no code with the client."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from nanobanana_async import emulator

FOLDER = Path(emulator.__file__).parent
FILES = sorted(FOLDER.glob("*.py"))

# The in-memory front is the plug between the two: it fits the client's socket, the four plain
# values of one HTTP exchange. It sees no codec and no model of the client either.
PLUG = {("_memory", "nanobanana_async._wire")}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_imports_nothing_of_the_client(file: Path) -> None:
    names = {
        name for name in imported(ast.parse(file.read_text())) if (file.stem, name) not in PLUG
    }
    for name in names:
        assert not name.startswith("..")
        assert name.partition(".")[0] != "nanobanana_async" or name.startswith(
            "nanobanana_async.emulator"
        )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_only_one_module_needs_pillow(file: Path) -> None:
    needs = {name.partition(".")[0] for name in imported(ast.parse(file.read_text()))}
    assert ("PIL" in needs) == (file.stem == "_pictures")


def test_all_is_what_is_there() -> None:
    assert sorted(emulator.__all__) == emulator.__all__
    assert all(hasattr(emulator, name) for name in emulator.__all__)
