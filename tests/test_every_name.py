"""The example that uses every public name: type checkers see all of it, and it runs."""

import ast
from pathlib import Path

import every_name
import pytest

from nanobanana_async import ImageRequest, Kind, NanoBananaError
from nanobanana_async.emulator import run_virtual
from tests.public_names import PUBLIC, names_of

EXAMPLE = ast.parse(Path(every_name.__file__).read_text())


def imported(module: str) -> dict[str, str]:
    """By the names of a module, what the example calls them."""
    return {
        alias.name: alias.asname or alias.name
        for node in ast.walk(EXAMPLE)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_used(module: str) -> None:
    used = {node.id for node in ast.walk(EXAMPLE) if isinstance(node, ast.Name)}
    found = imported(module)
    assert {name for name in names_of(module) if found.get(name) not in used} == set()


def test_every_error_concerns_somebody() -> None:
    kinds = {NanoBananaError}
    while more := {sub for kind in kinds for sub in kind.__subclasses__()} - kinds:
        kinds |= more
    ours = {kind for kind in kinds if kind.__module__.startswith("nanobanana_async")}
    assert ours == set(every_name.CONCERNS)


async def test_a_day_in_the_shop(tmp_path: Path) -> None:
    written, summary = await every_name.day(tmp_path)
    # The impatient one may be withdrawn before it is sent.
    assert written[Kind.ACCEPTED] == written[Kind.ENDED] >= 14
    assert summary.states == {"succeeded": 2}
    assert (tmp_path / "lighthouse.png").stat().st_size > 0
    assert len(list((tmp_path / "calendar").iterdir())) == 12
    assert (tmp_path / "catalogue" / "report.html").exists()
    times = every_name.service_times_of(tmp_path / "service_times.json")
    assert times is not None
    assert 13 < sum(map(every_name.ended, times.classes.values())) <= 15


def test_a_rehearsal_is_the_same_each_time() -> None:
    ends, ledger = run_virtual(every_name.rehearsal())
    assert (ends, ledger.accepted) == (run_virtual(every_name.rehearsal())[0], 200)
    assert ends["done"] > 150


def test_what_needs_no_server() -> None:
    assert every_name.hangs()
    assert every_name.asked_by_hand() == "answers 200"
    assert every_name.fit("x" * 9_000, "nano-banana") == ImageRequest(
        "x" * 5_000, aspect_ratio="3:2", model="nano-banana"
    )
