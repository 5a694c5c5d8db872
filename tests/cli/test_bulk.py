"""`nanobanana bulk`: what is said, where, and the exit code."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
from attrs import evolve
from click import Command
from click.testing import CliRunner, Result
from rich.console import Console

from nanobanana_async import (
    ClientCrashedError,
    InsufficientBalanceError,
    JournalError,
    Limits,
    MissingKeyError,
)
from nanobanana_async.bulk import (
    DiskError,
    FolderError,
    InputError,
    InvalidRowsError,
    Plan,
    Progress,
    Rejected,
    Summary,
)
from nanobanana_async.cli._group import nanobanana
from nanobanana_async.cli._output import put
from nanobanana_async.cli.bulk import _run
from nanobanana_async.cli.bulk._display import bulk_display, json_line, line
from nanobanana_async.cli.bulk._end import ended, failed
from nanobanana_async.cli.bulk._picture import picture
from nanobanana_async.cli.bulk._stdin import StandardInput
from nanobanana_async.cli.bulk._summary import plan_text, summary_json, summary_text
from nanobanana_async.cli.bulk._view import View, Viewer
from nanobanana_async.emulator import Emulator, LogNormal

from .command import MODULE

KEY = "sk-emulator"
VIEW = View(
    seconds=75.0,
    rows=2_000,
    done=500,
    succeeded=480,
    failed=15,
    unknown=5,
    running=900,
    waiting_for_download=16,
    downloaded=21_400_000,
    rows_per_second=25.0,
    requests_per_second=166.4,
    requests_limit=166.7,
    tasks_limit=1_000,
    refusals=3,
    stopping=False,
    longest=31.0,
)


def view(**changes: Any) -> View:
    return evolve(VIEW, **changes)


def summary(**changes: Any) -> Summary:
    known: dict[str, Any] = {
        "rows": 10,
        "states": Counter(succeeded=10),
        "rejected": 0,
        "spent": Decimal(0),
        "budget_reached": False,
        "stopped": False,
        "stopped_by": None,
        "report": None,
    }
    return Summary(**known | changes)


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Type the command in a folder that has rows.txt, with a key and without a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("APIXO_API_KEY", KEY)
    monkeypatch.setenv("APIXO_BASE_URL", "http://127.0.0.1:1")
    Path("rows.txt").write_text("a cat\na dog\n")
    return lambda *words: CliRunner().invoke(nanobanana, ["bulk", *words])


# Mistakes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rows.txt", "Missing option '-o'"),
        ("-o run", "Missing argument 'INPUT'"),
        ("no.txt -o run", "no.txt does not exist. Nothing was sent"),
        (". -o run", ". is a folder; give a file of .txt"),
        ("rows.txt -o rows.txt", "rows.txt is a file"),
        ("rows.txt -o rows.txt/run", "rows.txt/run cannot be written to"),
        ("rows.txt -o ", "an empty text is no folder"),
        ("rows.txt -o run --format pdf", "'pdf' is not one of"),
        ("rows.txt -o run --format csv", "no column named prompt"),
        ("rows.txt -o run --budget 25", "a budget needs a price"),
        ("rows.txt -o run --budget much --price 1", "'much' is no amount of money"),
        ("rows.txt -o run --budget nan --price 1", "budget must be an amount of money"),
        ("rows.txt -o run --price cheap", "'cheap' is no price, such as 0.04"),
        ("rows.txt -o run --price 2K=1", "No price is given for 1K"),
        ("rows.txt -o run --attempts 0", "0 is not in the range"),
        ("rows.txt -o run --resolution 8K", "resolution='8K': must be one of 1K, 2K, 4K"),
        ("rows.txt -o run --aspect-ratio 7:5", "aspect_ratio='7:5': must be one of auto"),
        ("rows.txt -o run --model banana", "model='banana': must be one of"),
        ("rows.txt -o run --image-url ftp://x", "must be an http(s):// URL"),
        ("rows.txt -o run --download-concurrency 1001", "1001 is not in the range"),
        ("rows.txt -o run --base-url nonsense", "base_url (APIXO_BASE_URL) must be"),
        ("rows.txt -o run --base-url http://[::1", "IPv6"),
        ("rows.txt -o run --proxy nonsense", "proxy must be"),
        ("no.txt -o run --dry-run", "no.txt does not exist. Nothing was sent"),
        ("rows.txt -o run --dry-run --resolution 8K", "resolution='8K'"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    typed: Callable[..., Result], tmp_path: Path, words: str, said: str
) -> None:
    result = typed(*words.split(" "))
    assert (result.exit_code, result.stdout) == (2, "")
    (message,) = result.stderr.splitlines()
    assert message.startswith("Error: ")
    assert said in message
    assert [one.name for one in tmp_path.iterdir()] == ["rows.txt"]


@pytest.mark.parametrize(("key", "said"), [("", "No API key"), ("a\nb", "a line end perhaps")])
def test_a_key_that_is_none_is_found_before_the_rows_are_looked_at(
    typed: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, key: str, said: str
) -> None:
    monkeypatch.setenv("APIXO_API_KEY", key)
    result = typed("rows.txt", "-o", "run")
    assert (result.exit_code, Path("run").exists()) == (2, False)
    assert said in result.stderr
    assert typed("rows.txt", "-o", "run", "--dry-run").exit_code == 0


def test_each_row_at_fault_has_its_line(typed: Callable[..., Result]) -> None:
    Path("rows.jsonl").write_text('{"size": 1, "\\u001b[2J": 2}\n' * 25 + '{"prompt": "a"}\n')
    result = typed("rows.jsonl", "-o", "run")
    first, *lines, last = result.stderr.splitlines()
    assert result.exit_code == 2
    assert first.startswith("Error: 25 of 26 rows of rows.jsonl break a rule.")
    assert len(lines) == 40
    assert lines[0].startswith("  line 1: size: is no field; the fields are prompt")
    assert lines[39].startswith("  line 20: '\\x1b[2J': is no field")
    assert last == "  … and 5 more"


def test_help_and_its_examples(typed: Callable[..., Result]) -> None:
    result = typed("--help")
    assert "nanobanana bulk rows.csv -o run --dry-run --price" in result.stdout
    assert "Exit codes: 0 every row has its picture" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


# A dry run


def test_a_dry_run(typed: Callable[..., Result], tmp_path: Path) -> None:
    result = typed("rows.txt", "-o", "run", "--dry-run", "--price", "0.04", "--budget", "0.05")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "rows      2",
        "to submit 2",
        "time      about 17 s, by the limits and usual service times",
        "money     0.08",
        "The budget does not reach for all of them.",
    ]
    found = json.loads(typed("rows.txt", "-o", "run", "--dry-run", "--json").stdout)
    assert (found["event"], found["to_submit"], found["money"]) == ("plan", 2, None)
    assert [one.name for one in tmp_path.iterdir()] == ["rows.txt"]


def test_what_a_plan_says_of_earlier_runs() -> None:
    plan = Plan(
        rows=9_000,
        invalid=3,
        done=8_000,
        again=10,
        seconds=3_700,
        money=Decimal("40.00"),
        spent=Decimal("320.40"),
        over_budget=False,
    )
    assert plan_text(plan, as_json=False).splitlines() == [
        "rows      9,000",
        "invalid   3, left out",
        "done      8,000 in earlier runs",
        "to submit 1,000, 10 of them anew, each a new charge",
        "time      about 1 h 01 min, by the limits and usual service times",
        "money     40.00",
        "spent     320.40 in earlier runs",
    ]


# Displays


def test_a_line_for_files() -> None:
    assert line(VIEW) == (
        "1 min 15 s: 500/2,000 rows, 900 running, 15 failed, 5 unknown, 21.4 MB downloaded, "
        "25.0 rows/s, 166 requests/s (limit 167), 3 refused, about 1 min 00 s left"
    )
    assert line(view(rows=0)) == "1 min 15 s: looking at the rows"
    assert line(view(failed=0, unknown=0, stopping=True)).endswith("3 refused, stopping")
    assert "left" not in line(view(done=2_000))
    assert "left" not in line(view(rows_per_second=0.0))


def test_a_line_of_json() -> None:
    found = json.loads(json_line(VIEW))
    assert found["event"] == "progress"
    assert (found["done"], found["running"], found["seconds_left"]) == (500, 900, 60.0)


def drawn(shown: View, width: int = 80) -> list[str]:
    console = Console(width=width, height=24, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(picture(shown))
        return console.export_text().splitlines()


def test_a_picture_fits_a_terminal() -> None:
    lines = drawn(VIEW)
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    for words in ("500 of 2,000 1 min 00 s left", "running 900 limit 1,000", "16 under way"):
        assert words in text
    assert "may be paid for, see the report" in text
    assert "stopping" in " ".join(drawn(view(stopping=True)))
    assert drawn(view(rows=0)) == ["Looking at the rows, 1 min 15 s"]


def test_rates_are_measured_from_the_first_view_on() -> None:
    progress = Progress(rows=10, done_before=2)
    viewer = Viewer(progress, Limits(), began=100.0)
    assert viewer.view(100.0).rows_per_second == 0
    progress.states.update(succeeded=4, unknown=1, refused=1)
    seen = viewer.view(102.0)
    assert (seen.seconds, seen.done, seen.rows_per_second) == (2.0, 8, 3.0)
    assert (seen.succeeded, seen.failed, seen.unknown) == (4, 1, 1)


def test_a_display_that_nobody_reads_is_no_reason_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as broken:  # noqa: PTH123 - a pipe
        monkeypatch.setattr(sys, "stdout", broken)
        with bulk_display(quiet=False, as_json=False) as display:
            display.show(VIEW)
            display.show(VIEW)
        put("the end")
    # Closing it would have raised, had anything been left in its buffer.


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_streams_that_were_closed_before(monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    monkeypatch.setattr(sys, stream, None)
    with bulk_display(quiet=False, as_json=False) as display:
        display.show(VIEW)
        display.say("something")
    put("the end")


# The end


def test_what_became_of_the_rows() -> None:
    states = Counter(succeeded=5, failed=1, unknown=2, download_failed=1)
    text = summary_text(
        summary(states=states, rejected=3, spent=Decimal("0.40"), report=Path("run/report.html"))
    )
    assert text.splitlines() == [
        "10 rows:",
        "         5  have their pictures",
        "         1  failed at the API (--retry-failed submits them anew)",
        "         2  are unknown and may be paid for (--retry-unknown submits them anew)",
        "         1  could not be downloaded; the next run fetches them again",
        "         1  were not submitted",
        "Left out: 3, which break a rule; see rejected.jsonl",
        "Spent, by the price given: 0.40",
        "Look at run/report.html",
    ]
    found = json.loads(summary_json(summary(states=states, stopped_by=JournalError("No"))))
    assert (found["event"], found["unsent"], found["error"]) == ("summary", 1, "No")


@pytest.mark.parametrize(
    ("end", "signalled", "code", "said"),
    [
        (summary(), None, 0, ""),
        (summary(rows=11), None, 1, ""),
        (summary(states=Counter(succeeded=9, failed=1)), None, 1, ""),
        (summary(rows=12, budget_reached=True), None, 3, "The budget is reached, 2 rows left."),
        (summary(stopped=True), signal.SIGINT, 130, "Stopped. To go on: again"),
        (summary(stopped=True), signal.SIGTERM, 143, "Stopped. To go on: again"),
        (
            summary(stopped_by=InsufficientBalanceError("No money", advice="Top it up")),
            signal.SIGINT,
            3,
            "Error: No money. Top it up. To go on then: again",
        ),
    ],
    ids=lambda value: "" if isinstance(value, Summary) else None,
)
def test_exit_codes(
    end: Summary,
    signalled: int | None,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(end, signalled, "again") == code
    assert capsys.readouterr().err.strip() == said


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 2),
        (InvalidRowsError("x", count=1, rejected=[Rejected(1, "k", (("f", "r"),))]), 2),
        (FolderError("x"), 2),
        (MissingKeyError("x"), 2),
        (DiskError("x"), 3),
        (JournalError("x"), 3),
        (ClientCrashedError("x"), 3),
        (OSError(28, "No space left on device", "run/results.jsonl"), 3),
    ],
)
def test_exit_codes_of_errors(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    error.__cause__ = ZeroDivisionError("somewhere")
    assert failed(error) == code
    err = capsys.readouterr().err
    assert err.startswith("Error: ")
    assert ("somewhere" in err) == isinstance(error, ClientCrashedError)


# Whole runs, in this process


def options(*words: str) -> dict[str, Any]:
    command = nanobanana.commands["bulk"]
    assert isinstance(command, Command)
    return dict(command.make_context("bulk", list(words)).params)


@asynccontextmanager
async def serving(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[Emulator]:
    service = settings.pop("service", LogNormal(0.01, 0.0))
    async with Emulator(service=service, **settings) as emulator:
        monkeypatch.setenv("APIXO_API_KEY", KEY)
        monkeypatch.setenv("APIXO_BASE_URL", emulator.url)
        yield emulator


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("rows.txt").write_text("a cat\na forbidden dog\na cow\n")
    return Path("rows.txt")


async def test_rows_that_fail_and_are_submitted_anew(
    rows: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(monkeypatch) as emulator:
        words = (str(rows), "-o", "run", "--price", "0.04", "--no-report")
        assert await _run.run(options(*words)) == 1
        assert "1  failed at the API" in capsys.readouterr().out
        assert await _run.run(options(*words)) == 1
        assert emulator.ledger().accepted == 3
        assert await _run.run(options(*words, "--retry-failed")) == 1
        said = capsys.readouterr()
        assert "1 row submitted anew; each is a new charge." in said.err
        assert "Spent, by the price given: 0.16" in said.out
        assert emulator.ledger().accepted == 4


async def test_money_that_ends_and_comes(
    rows: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (str(rows), "-o", "my run", "--no-report", "--quiet")
    async with serving(monkeypatch, balance=0.04):
        assert await _run.run(options(*words)) == 3
        said = capsys.readouterr()
        assert said.out == ""
        assert "HTTP status: 402" in said.err
        assert "Top up the account" in said.err
        assert "nanobanana bulk rows.txt -o 'my run' --no-report --quiet\n" in said.err
    async with serving(monkeypatch) as emulator:
        assert await _run.run(options(*words, "--price", "1", "--budget", "2")) == 3
        assert "The budget is reached, 1 row left." in capsys.readouterr().err
        assert emulator.ledger().accepted == 1
        assert await _run.run(options(*words)) in (0, 1)
        assert emulator.ledger().accepted == 2


async def test_a_wrong_key_stops_at_once(
    rows: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(monkeypatch, api_key="sk-another"):
        code = await _run.run(options(str(rows), "-o", "run", "--no-report", "--json"))
    said = capsys.readouterr()
    assert code == 3
    assert "The API does not accept the key (HTTP status: 401" in said.err
    assert KEY not in said.err + said.out
    assert json.loads(said.out.splitlines()[-1])["unsent"] == 3


async def test_ctrl_c_once(
    rows: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows.write_text("a cat\n" * 300)
    service = LogNormal(0.5, 0.0)
    async with serving(monkeypatch, service=service, concurrent_tasks=5) as emulator:

        async def press() -> None:
            while emulator.ledger().accepted < 5:
                await asyncio.sleep(0.01)
            signal.raise_signal(signal.SIGINT)

        words = (str(rows), "-o", "run", "--no-report", "--concurrent-tasks", "5")
        pressing = asyncio.create_task(press())
        assert await _run.run(options(*words)) == 130
        await pressing
    said = capsys.readouterr()
    assert "Stopping: nothing new is submitted" in said.err
    assert said.err.splitlines()[-1].startswith("Stopped. To go on: nanobanana bulk rows.txt -o")
    states = [
        json.loads(text)["state"] for text in Path("run/results.jsonl").read_text().splitlines()
    ]
    assert 5 <= len(states) < 300
    assert set(states) == {"succeeded"}


# Standard input


def test_standard_input_is_left_when_it_is_told_to() -> None:
    reader, writer = os.pipe()
    stdin = StandardInput(reader)
    os.write(writer, b"a cat\n")
    assert not stdin.isatty()
    assert stdin.read(1 << 20) == b"a cat\n"
    stdin.stop()
    with pytest.raises(InputError, match="left before its end"):
        stdin.read()
    stdin.close()
    for one in (reader, writer):
        os.close(one)


def test_who_types_is_told_how_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = os.openpty()
    stdin = StandardInput(theirs)
    os.write(ours, b"a cat\n\x04")
    assert (stdin.isatty(), stdin.read(), stdin.read()) == (True, b"a cat\n", b"")
    assert capsys.readouterr().err.count("Ctrl-D") == 1
    stdin.close()
    for one in (ours, theirs):
        os.close(one)


def test_ctrl_c_while_it_waits_for_rows(tmp_path: Path) -> None:
    environment = os.environ | {"APIXO_API_KEY": KEY}
    process = Popen(  # noqa: S603 - our own command
        [*MODULE, "bulk", "-", "-o", "run"],
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    with process:
        while not (tmp_path / "run" / "input.txt.part").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stdout
        assert process.stderr
        assert process.stdout.read() == ""
        stopping, error = process.stderr.read().splitlines()
        assert process.wait() == 130
    assert stopping.startswith("Stopping: the rows are not looked at any further")
    assert error == "Error: Standard input was left before its end. Nothing was sent"
    assert not list(tmp_path.iterdir())
