"""`nanobanana submit`, `status`, `wait`, `download`, `balance`: tasks by their ids."""

import json
import re
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nanobanana_async import APIConnectionError, TaskStatus, _tracker
from nanobanana_async.cli import _client_options
from nanobanana_async.cli._group import nanobanana
from nanobanana_async.cli.jobs import _ids, _status
from nanobanana_async.cli.jobs._status import Look
from nanobanana_async.emulator import LogNormal
from nanobanana_async.testing import EmulatorThread

pytestmark = pytest.mark.usefixtures("nanobanana_emulator")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(nanobanana, arguments, input=stdin)


def test_from_submit_by_a_file_of_ids_to_pictures(nanobanana_emulator: EmulatorThread) -> None:
    submitted = run("submit", "a cat", "a dog", "--quiet")
    assert (submitted.exit_code, submitted.stderr) == (0, "")
    ids = submitted.stdout
    assert set(ids.split()) == set(nanobanana_emulator.ledger().task_ids)

    waited = run("wait", "-", "-o", "out", "--quiet", stdin=ids)
    assert (waited.exit_code, waited.stderr) == (0, "")
    assert set(waited.stdout.split()) == {f"out/{task_id}.png" for task_id in ids.split()}

    looked = run("status", "-", stdin=ids)
    assert looked.exit_code == 0
    assert [line.split()[:2] for line in looked.stdout.splitlines()] == [
        [task_id, "success"] for task_id in ids.split()
    ]

    fetched = run("download", *ids.split(), "-o", "again", "--quiet")
    assert fetched.exit_code == 0
    assert len(list(Path("again").iterdir())) == 2


@pytest.mark.nanobanana(service=LogNormal(1000, 0.1))
def test_a_task_that_runs() -> None:
    task_id = run("submit", "a cat", "--quiet").stdout.strip()
    looked = run("status", task_id)
    assert (looked.exit_code, looked.stderr) == (4, "")
    assert re.match(rf"{task_id}  (pending|processing) +for \d", looked.stdout)
    fetched = run("download", task_id, "--quiet")
    assert (fetched.exit_code, fetched.stdout) == (4, "")
    assert f"1 task is still running. To go on: nanobanana wait {task_id}" in fetched.stderr
    assert run("wait", task_id, "--timeout", "0.2").exit_code == 4


def test_a_task_that_failed() -> None:
    task_id = run("submit", "a forbidden cat", "--quiet").stdout.strip()
    assert run("wait", task_id).exit_code == 1
    looked = run("status", task_id)
    assert looked.exit_code == 1
    assert looked.stdout.startswith(f"{task_id}  failed      CONTENT_VIOLATION: ")
    told = json.loads(run("status", task_id, "--json").stdout)
    assert (told["state"], told["fail_code"]) == ("failed", "CONTENT_VIOLATION")


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that is not known may be known in a moment, so the client asks for 30 s."""
    monkeypatch.setitem(_tracker._MISSING_PATIENCE, False, 0.1)
    monkeypatch.setattr(_status, "_AT_ONCE", 0.05)


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize("command", ["status", "wait", "download"])
def test_a_task_that_nobody_knows(command: str) -> None:
    done = run(command, "task_unknown")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "The API does not know this task" in done.stderr
    assert ("Still asking." in done.stderr) == (command == "status")


@pytest.mark.parametrize("typed", ["-", ""])
@pytest.mark.parametrize("command", ["status", "wait", "download"])
def test_no_id(command: str, typed: str) -> None:
    done = run(command, typed)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.usefixtures("_hasty")
def test_the_json_of_a_task_that_nobody_knows() -> None:
    assert json.loads(run("wait", "task_unknown", "--json").stdout)["state"] == "not_found"


@pytest.mark.nanobanana(balance=12.5)
def test_the_balance() -> None:
    assert run("balance").stdout == "balance  12.5\n"
    assert json.loads(run("balance", "--json").stdout) == {"balance": 12.5}


@pytest.mark.parametrize("command", [["balance"], ["status", "task_1"], ["wait", "task_1"]])
def test_a_wrong_key_stops_each(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIXO_API_KEY", "sk-secret-and-wrong")
    done = run(*command)
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.count("does not accept the key") == 1
    assert "secret" not in done.stderr


@pytest.mark.nanobanana(faults={"check_silent": 1.0})
def test_tasks_that_were_not_answered_for_are_named_and_not_said_to_run() -> None:
    ids = run("submit", "a", "b", "--quiet").stdout.split()
    done = run("wait", "-", "-o", "out/", "--quiet", "--timeout", "0.1", stdin="\n".join(ids))
    assert done.exit_code == 4
    assert (
        "2 tasks are without an answer so far (an unknown id takes half a minute)." in done.stderr
    )
    assert done.stderr.endswith(f"To go on: nanobanana wait {ids[0]} {ids[1]} -o out/\n")
    assert "still running" not in done.stderr


def test_an_id_that_is_given_twice_is_one(nanobanana_emulator: EmulatorThread) -> None:
    task_id = run("submit", "a cat", "--quiet").stdout.strip()
    done = run("wait", task_id, "-", "-o", "out", "--quiet", stdin=f"{task_id}\n{task_id}\n")
    assert done.stdout == f"out/{task_id}.png\n"
    assert nanobanana_emulator.ledger().downloads == 1


@pytest.mark.parametrize("command", ["status", "wait", "download"])
def test_a_model_that_the_api_does_not_have(
    command: str, nanobanana_emulator: EmulatorThread
) -> None:
    done = run(command, "task_1", "--model", "banana")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "Error: --model banana: there are nano-banana-2, nano-banana\n"
    assert not any(nanobanana_emulator.ledger().requests.values())


def test_a_host_that_cannot_be_reached_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_client_options, "_CONNECT_PATIENCE", 0.1)
    done = run("wait", "task_1", "--base-url", "http://127.0.0.1:1")
    assert done.exit_code == 3
    assert "1 task is without an answer so far" in done.stderr


def piped(*lines: str, presses: Iterable[int]) -> Iterator[str]:
    """What a pipe brings; Ctrl-C is pressed after some of its lines."""
    for number, line in enumerate(lines, start=1):
        yield line
        for _ in range(list(presses).count(number)):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("presses", "named"),
    [([1], "task_1 task_2 task_3"), ([1, 2], "task_1 task_2"), ([2, 2], "task_1 task_2")],
)
@pytest.mark.parametrize("command", ["wait", "download", "status"])
def test_ctrl_c_while_ids_come_through_a_pipe_loses_none(
    command: str, presses: list[int], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes them may have paid for them, and got the same Ctrl-C."""
    ids = piped("task_1", "task_2", "task_3", presses=presses)
    monkeypatch.setattr(_ids, "spread", lambda _: ids)
    folder = [] if command == "status" else ["-o", "out/"]
    done = run(command, "-", *folder)
    assert (done.exit_code, done.stdout) == (130, "")
    again = " ".join(["nanobanana", command, named, *folder])
    assert done.stderr == f"Stopped.\nNothing was asked so far. To go on: {again}\n"


def test_ctrl_c_before_any_id_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: object) -> Iterator[str]:
        signal.raise_signal(signal.SIGINT)
        yield from ()

    monkeypatch.setattr(_ids, "spread", nothing)
    assert (run("wait", "-").exit_code, run("wait", "-").stderr) == (130, "Stopped.\n")


@pytest.mark.parametrize("as_json", [True, False])
def test_what_was_told_is_shown_though_the_host_fails_then(
    as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(*_: object) -> list[Look]:
        lost = APIConnectionError("No connection", task_id="task_1")
        found = TaskStatus(task_id="task_2", state="failed")
        return [Look("task_1", error=lost), Look("task_2", found), Look("task_3", error=lost)]

    monkeypatch.setattr(_status, "_look", look)
    done = run("status", "x", *["--json"] * as_json)
    assert done.exit_code == 3
    assert len(done.stdout.splitlines()) == (3 if as_json else 1)
    assert "task_2" in done.stdout
    assert done.stderr.count("Error: ") == 1
