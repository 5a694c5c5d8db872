"""The demo's run in this process, over emulators that misbehave."""

from pathlib import Path

import click
import pytest

from nanobanana_async.cli._demo_display import line
from nanobanana_async.cli._demo_run import Plan, make_folder, run
from nanobanana_async.cli._plain import PlainDisplay
from nanobanana_async.emulator import Emulator, FailFast, LogNormal, Mixture

AT_ONCE = LogNormal(0.001, 0.0)


def files_in(folder: Path) -> int:
    return len(list(folder.iterdir()))


async def test_failures_do_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Mixture([0.5, 0.5], [AT_ONCE, FailFast(0.001)])
    emulator = Emulator(api_key="sk-demo", service=service)
    code = await run(Plan(12, tmp_path, 0), emulator, PlainDisplay(line))
    made = files_in(tmp_path)
    assert code == 1
    assert 0 < made < 12
    out = capsys.readouterr().out
    assert f"\n  pictures            {made} of 12 in " in out
    assert f"\nMissing: {12 - made}\n" in out
    assert "GENERATION_FAILED" in out


async def test_a_refusal_is_amiss_even_where_all_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = LogNormal(0.5, 0.0)
    emulator = Emulator(api_key="sk-demo", service=service, concurrent_tasks=2)
    code = await run(Plan(3, tmp_path, 0), emulator, PlainDisplay(line))
    assert (code, files_in(tmp_path)) == (1, 3)
    assert " concurrency\n" in capsys.readouterr().out


async def test_a_run_that_cannot_go_on_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator = Emulator(api_key="sk-demo", service=AT_ONCE, balance=0.08)
    code = await run(Plan(6, tmp_path, 0), emulator, PlainDisplay(line))
    assert (code, files_in(tmp_path)) == (1, 2)
    assert "balance" in capsys.readouterr().out


def test_a_folder_is_made_and_nothing_left_in_it(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(click.UsageError, match=r"cannot write into .*file"):
        make_folder(tmp_path / "file")
