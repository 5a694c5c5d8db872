"""`nanobanana submit`, `status`, `wait`, `download`, `balance`: tasks by their ids."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nanobanana_async import _tracker
from nanobanana_async.cli._group import nanobanana
from nanobanana_async.cli.jobs import _status
from nanobanana_async.emulator import LogNormal
from nanobanana_async.testing import EmulatorThread

from .command import MODULE

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


@pytest.mark.parametrize("command", ["status", "wait", "download"])
def test_no_id(command: str) -> None:
    done = run(command, "-")
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without /dev/full")
def test_ids_that_cannot_be_written_are_named(nanobanana_emulator: EmulatorThread) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 - our own command
            [*MODULE, "submit", "a", "b", "--quiet"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: standard output cannot be written to.\n2 tasks are")
    assert all(task_id in done.stderr for task_id in nanobanana_emulator.ledger().task_ids)
    assert nanobanana_emulator.ledger().accepted == 2


def test_an_id_that_was_not_answered_for_is_not_said_to_run() -> None:
    done = run("wait", "task_unknown", "--timeout", "0.1")
    assert done.exit_code == 4
    assert "1 not told of so far" in done.stderr
    assert "still running" not in done.stderr
