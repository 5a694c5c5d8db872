"""`nanobanana submit`, `status`, `wait`, `download`, `balance`: tasks by their ids."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nanobanana_async import APIConnectionError, TaskStatus, _tracker
from nanobanana_async.cli import _client_options
from nanobanana_async.cli._group import nanobanana
from nanobanana_async.cli.jobs import _ids, _status
from nanobanana_async.cli.jobs._place import Place
from nanobanana_async.cli.jobs._status import Asking, Look
from nanobanana_async.emulator import LogNormal
from nanobanana_async.testing import EmulatorThread

from .command import MODULE, started

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
    assert {tuple(line.split()[:2]) for line in looked.stdout.splitlines()} == {
        (task_id, "success") for task_id in ids.split()
    }

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


@pytest.mark.parametrize(
    ("presses", "named", "code"),
    [
        ({1: [signal.SIGINT]}, "task_1 task_2 task_3", 130),
        ({1: [signal.SIGINT], 2: [signal.SIGINT]}, "task_1 task_2", 130),
        ({2: [signal.SIGTERM]}, "task_1 task_2", 143),
        ({1: [signal.SIGINT], 2: [signal.SIGTERM]}, "task_1 task_2", 143),
    ],
)
@pytest.mark.parametrize("command", ["wait", "download", "status"])
def test_ctrl_c_while_ids_come_through_a_pipe_loses_none(
    command: str,
    presses: dict[int, list[signal.Signals]],
    named: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who writes them may have paid for them, and got the same Ctrl-C."""
    monkeypatch.setattr(_ids, "spread", lambda _: piped(presses))
    folder = [] if command == "status" else ["-o", "out/"]
    done = run(command, "-", *folder)
    assert (done.exit_code, done.stdout) == (code, "")
    again = " ".join(["nanobanana", command, named, *folder])
    number = len(named.split())
    assert done.stderr.endswith(f"Stopped.\n{number} without an answer. To go on: {again}\n")
    assert ("Ctrl-C again" in done.stderr) == (signal.SIGINT in presses.get(1, ()))


def piped(presses: dict[int, list[signal.Signals]]) -> Iterator[str]:
    """What a pipe brings: three ids, and signals after some of them."""
    for number in (1, 2, 3):
        yield f"task_{number}"
        for press in presses.get(number, ()):
            signal.raise_signal(press)


def test_ctrl_c_before_any_id_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: object) -> Iterator[str]:
        signal.raise_signal(signal.SIGINT)
        yield from ()

    monkeypatch.setattr(_ids, "spread", nothing)
    done = run("wait", "-")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (130, "Stopped.")


def test_ctrl_c_where_somebody_types_ids_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ids, "spread", lambda _: piped({2: [signal.SIGINT]}))
    monkeypatch.setattr(_ids, "_through_a_pipe", lambda _: False)
    done = run("wait", "-")
    assert (done.exit_code, done.output.strip()) == (130, "")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["-o", "x.png"], "2 pictures need a folder"),
        (["-o", ""], "an empty text is neither"),
        (["-o", "mine/"], "mine is a file"),
        (["--model", "banana"], "--model banana"),
        (["--base-url", "nonsense"], "base_url"),
    ],
)
def test_what_is_refused_names_the_ids_that_a_pipe_has_brought(
    wrong: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine").touch()
    done = run("wait", "-", *wrong, stdin="task_1\ntask_2\n")
    assert (done.exit_code, done.stdout) == (2, "")
    named, error = done.stderr.splitlines()
    advice = "2 without an answer. To go on, with what is at fault put right: nanobanana wait "
    assert named.startswith(f"{advice}task_1 task_2 ")
    assert error.startswith("Error: ")
    assert says in error
    monkeypatch.delenv("APIXO_API_KEY")
    assert "wait task_1\nError: No API key" in run("wait", "-", stdin="task_1").stderr
    assert run("wait", "task_1").stderr.startswith("Error: No API key")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a system without /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_while_a_real_pipe_is_read(number: signal.Signals, code: int) -> None:
    with subprocess.Popen(  # noqa: S603 - our own command
        [*MODULE, "wait", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write("task_1\n")
        process.stdin.flush()
        wait_until_heeded(process.pid, signal.SIGTERM)
        process.send_signal(number)
        if number is signal.SIGINT:  # else it does not wait for the end of the pipe
            process.stdin.write("task_2\n")
            process.stdin.close()
        assert process.wait(timeout=20) == code
        assert process.stderr is not None
        said = process.stderr.read()
    assert "Stopped.\n" in said
    assert ("To go on: nanobanana wait task_1 task_2\n" in said) == (number is signal.SIGINT)


def wait_until_heeded(pid: int, number: signal.Signals) -> None:
    """Wait until a process has a handler for the signal."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status").read_text()
        (mask,) = re.findall(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)
        if int(mask, 16) >> (number - 1) & 1:
            return
        time.sleep(0.02)
    raise TimeoutError


@pytest.mark.nanobanana(faults={"check_silent": 0.5}, seed=4)
def test_ctrl_c_names_the_ids_that_were_not_answered_for() -> None:
    """What was answered stands on the screen already."""
    ids = [run("submit", f"cat {n}", "--quiet").stdout.strip() for n in range(6)]
    with started("status", *ids) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stderr.readline()  # "Still asking": what is answered at once was answered
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()
        assert process.wait(timeout=20) == 130
    assert said.startswith("Still asking.")
    told = {line.split()[0] for line in out.splitlines()}
    left = [task_id for task_id in ids if task_id not in told]
    assert 0 < len(left) < 6
    assert err == (
        f"Stopped.\n{len(left)} without an answer. To go on: nanobanana status {' '.join(left)}\n"
    )


def test_a_defect_of_a_look_names_what_was_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(_: Asking, task_id: str) -> Look:
        if task_id == "task_2":
            raise ZeroDivisionError
        return Look(task_id, TaskStatus(task_id=task_id, state="success"))

    monkeypatch.setattr(Asking, "_look", look)
    done = run("status", "task_1", "task_2")
    assert (done.exit_code, done.stdout) == (70, "task_1  success\n")
    assert "1 without an answer. To go on: nanobanana status task_2\n" in done.stderr


def test_signals_wait_between_those_who_heed_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids are read, and the command does not ask about them yet."""
    if sys.platform == "win32":
        pytest.skip("signals act at once there")

    def prepare(*_: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr(Place, "prepare", prepare)
    for number in (signal.SIGINT, signal.SIGTERM):
        done = run("wait", "-", stdin="task_1\ntask_2\n")
        assert done.exit_code == 128 + number
        assert "2 tasks are without an answer so far" in done.stderr
        assert done.stderr.endswith("To go on: nanobanana wait task_1 task_2\n")


def test_what_follows_good_ids_and_is_no_text_does_not_lose_them() -> None:
    done = CliRunner().invoke(nanobanana, ["wait", "-"], input=b"task_1\ntask_2\n\xff\n")
    assert done.exit_code == 2
    assert "nanobanana wait task_1 task_2\nError: standard input is no text" in done.stderr


@pytest.mark.parametrize("as_json", [True, False])
def test_what_was_told_is_shown_though_the_host_fails_then(
    as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = APIConnectionError("No connection", task_id="task_1")
    found = TaskStatus(task_id="task_2", state="failed")
    looks = {
        "task_1": Look("task_1", error=lost),
        "task_2": Look("task_2", found),
        "task_3": Look("task_3", error=lost),
    }

    async def look(_: Asking, task_id: str) -> Look:
        return looks[task_id]

    monkeypatch.setattr(Asking, "_look", look)
    done = run("status", *looks, *["--json"] * as_json)
    assert done.exit_code == 3
    assert len(done.stdout.splitlines()) == (3 if as_json else 1)
    assert "task_2" in done.stdout
    assert done.stderr.count("Error: ") == 1
    assert done.stderr.endswith("To go on: nanobanana status task_1 task_3" + "\n")
