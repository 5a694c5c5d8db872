"""The demo's run in this process, over emulators that misbehave."""

import asyncio
import logging
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

import click
import pytest

from nanobanana_async import ImageResult
from nanobanana_async._unawaited import name_unawaited
from nanobanana_async.cli._folder import make_folder
from nanobanana_async.cli._plain import PlainDisplay
from nanobanana_async.cli.demo._display import line
from nanobanana_async.cli.demo._progress import Snapshot
from nanobanana_async.cli.demo._run import Plan, _without_farewells, run
from nanobanana_async.cli.demo._sheet import NAME
from nanobanana_async.cli.demo._slots import Stage
from nanobanana_async.emulator import Emulator, FailFast, LogNormal, Mixture

AT_ONCE = LogNormal(0.001, 0.0)


class Recorder:
    """A display that remembers."""

    interval = 0.02

    def __init__(self) -> None:
        self.shown: list[Snapshot] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        self.shown.append(snapshot)

    def say(self, text: str) -> None: ...


def files_in(folder: Path) -> int:
    """Pictures, the contact sheet aside."""
    return len([path for path in folder.iterdir() if path.name != NAME])


async def test_the_slots_are_the_clients_and_what_is_ready_the_emulators(tmp_path: Path) -> None:
    display = Recorder()
    emulator = Emulator(api_key="sk-demo", service=LogNormal(0.2, 0.0), latency=0.03)
    assert await run(Plan(8, tmp_path, 0), emulator, display) == 0
    counts = [[snapshot.slots.count(stage) for stage in Stage] for snapshot in display.shown]
    assert all(sum(stages) == 1_000 for stages in counts)
    *_, submitted, _, ready, found = ([column[i] for column in counts] for i in (0, 1, 2, 3, 4))
    assert max(submitted) == 8
    assert max(ready) > 0  # none is looked at younger than half a second
    assert found[-1] == 8
    assert ready[-1] == submitted[-1] == 0
    last = display.shown[-1]
    assert 0.2 < last.mean_lag <= last.longest_lag < 5


async def test_a_signal_while_the_sheet_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(60)

    monkeypatch.setattr("nanobanana_async.cli.demo._run.draw_sheet", slow)
    emulator = Emulator(api_key="sk-demo", service=AT_ONCE)
    code = await run(Plan(2, tmp_path, 0), emulator, PlainDisplay(line))
    assert code == 128 + signal.SIGTERM
    assert f"Stopped: 2 of 2 pictures are in {tmp_path}\n" in capsys.readouterr().out


async def test_a_sheet_that_cannot_be_written_costs_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / NAME).mkdir()
    emulator = Emulator(api_key="sk-demo", service=AT_ONCE)
    assert await run(Plan(1, tmp_path, 0), emulator, PlainDisplay(line)) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"contact sheet  none, {tmp_path / NAME} cannot be written: ")


async def test_failures_do_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Mixture([0.5, 0.5], [AT_ONCE, FailFast(0.001)])
    emulator = Emulator(api_key="sk-demo", service=service)
    code = await run(Plan(12, tmp_path, 0), emulator, PlainDisplay(line))
    made = files_in(tmp_path)
    assert code == 1
    assert 0 < made < 12
    out, err = capsys.readouterr()
    assert f"\npictures       {made} of 12 in " in out
    assert f"Missing: {12 - made}\n" in err
    assert "GENERATION_FAILED" in err
    assert (tmp_path / NAME).exists()


async def test_a_refusal_is_amiss_even_where_all_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = LogNormal(0.5, 0.0)
    emulator = Emulator(api_key="sk-demo", service=service, concurrent_tasks=2)
    code = await run(Plan(3, tmp_path, 0), emulator, PlainDisplay(line))
    assert (code, files_in(tmp_path)) == (1, 3)
    assert " concurrency; ends seen" in capsys.readouterr().out


async def test_a_run_that_cannot_go_on_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator = Emulator(api_key="sk-demo", service=AT_ONCE, balance=0.08)
    code = await run(Plan(6, tmp_path, 0), emulator, PlainDisplay(line))
    assert (code, files_in(tmp_path)) == (1, 2)
    assert "balance" in capsys.readouterr().err


def test_what_the_client_leaves_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    picture = ImageResult(
        task_id="task_1",
        urls=("http://127.0.0.1/1.png",),
        created_at=None,
        completed_at=None,
        processing_time=None,
        request=None,
    )
    with _without_farewells():
        name_unawaited(picture)
        logging.getLogger("nanobanana_async").warning("something else")
    assert caplog.messages == ["something else"]


def test_a_folder_is_made_and_nothing_left_in_it(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(click.UsageError, match="file is a file, not a folder"):
        make_folder(tmp_path / "file")
