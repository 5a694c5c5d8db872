"""`nanobanana generate`, from prompts to files, against an emulator behind a socket."""

import json
import re
import signal
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nanobanana_async.cli import _client_options
from nanobanana_async.cli._group import nanobanana
from nanobanana_async.emulator import LogNormal
from nanobanana_async.testing import EmulatorThread

from .command import started
from .pseudo import in_terminal, no_terminals, read

pytestmark = pytest.mark.usefixtures("nanobanana_emulator")
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(nanobanana, arguments, input=stdin)


def test_a_picture_into_a_file(nanobanana_emulator: EmulatorThread) -> None:
    done = run("generate", "a cat", "-o", "new/cat.png", "--aspect-ratio", "3:2")
    assert (done.exit_code, done.stdout) == (0, "new/cat.png\n")
    assert Path("new/cat.png").read_bytes().startswith(PNG)
    assert "a cat: submitting\n" in done.stderr
    assert nanobanana_emulator.ledger().accepted == 1


@no_terminals
def test_in_a_terminal_the_path_stands_where_the_progress_was(folder: Path) -> None:
    with in_terminal(
        "generate", "a cat", "-o", "cat.png", cwd=folder, TERM="xterm", NO_COLOR="1"
    ) as (process, terminal):
        seen = read(terminal)
        assert process.wait(timeout=30) == 0
    assert "a cat " in seen
    assert seen.count("cat.png") == 1
    assert re.search(r"\x1b\[2Kcat\.png\r\n[^\n]*$", seen)  # not even an empty line is left


@no_terminals
@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_results_go_to_stdout_where_that_is_a_terminal(option: str, folder: Path) -> None:
    arguments = ("submit", "a cat", option)
    with (
        (folder / "err.txt").open("w") as err,
        in_terminal(*arguments, cwd=folder, stderr=err, TERM="xterm") as (process, terminal),
    ):
        seen = read(terminal)
        assert process.wait(timeout=30) == 0
    assert "task_" in seen
    assert "task_" not in (folder / "err.txt").read_text().replace("submitted task_", "")


@no_terminals
def test_a_terminal_that_cannot_show_all_signs(folder: Path) -> None:
    with in_terminal(
        "generate",
        "猫" + 50 * "x",
        "-o",
        "x.png",
        cwd=folder,
        TERM="xterm",
        PYTHONIOENCODING="latin-1",
    ) as (process, terminal):
        seen = read(terminal)
        assert process.wait(timeout=30) == 0
    assert "x.png" in seen


def test_a_name_that_ends_in_jpg_asks_for_a_jpeg() -> None:
    assert run("generate", "a cat", "-o", "cat.jpg").exit_code == 0
    assert Path("cat.jpg").read_bytes().startswith(JPEG)


def test_pictures_in_a_folder_have_the_names_of_their_prompts(folder: Path) -> None:
    (folder / "a-cat.png").write_text("mine")
    done = run("generate", "A cat!", "A cat!", "a dog", "日本", "../x", "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    names = {"a-cat-2.png", "a-cat-3.png", "a-dog.png", "日本.png", "x.png"}
    assert set(done.stdout.splitlines()) == names
    assert {path.name for path in folder.iterdir()} == names | {"a-cat.png"}
    assert (folder / "a-cat.png").read_text() == "mine"


def test_prompts_from_standard_input(nanobanana_emulator: EmulatorThread) -> None:
    done = run("generate", "-", "-o", "out/", stdin=b"\xef\xbb\xbfa cat\r\n\n  a dog\n")
    assert done.exit_code == 0
    assert nanobanana_emulator.ledger().accepted_by_prompt == {"a cat": 1, "a dog": 1}


def test_json_has_a_line_for_each(nanobanana_emulator: EmulatorThread) -> None:
    done = run("generate", "a cat", "a forbidden dog", "--json")
    lines = {line["prompt"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.exit_code == 1
    assert lines["a cat"]["state"] == "succeeded"
    assert lines["a cat"]["files"] == ["a-cat.png"]
    assert lines["a forbidden dog"]["state"] == "failed"
    assert "CONTENT_VIOLATION" in lines["a forbidden dog"]["error"]
    ids = {line["task_id"] for line in lines.values()}
    assert ids == set(nanobanana_emulator.ledger().task_ids)


@pytest.mark.nanobanana(faults={"submit_lost": 1.0})
def test_a_submit_whose_answer_was_lost_is_named(nanobanana_emulator: EmulatorThread) -> None:
    done = run("generate", "a cat", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["state"] == "unknown"
    assert "may be running and paid for" in done.stderr
    assert nanobanana_emulator.ledger().accepted == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a cat", "--resolution", "8K"], "resolution='8K': must be one of 1K, 2K, 4K"),
        (["a cat", ""], "prompt='': must be text of 1 to 20,000 characters"),
        (["a", "b", "-o", "x.png"], "2 pictures need a folder, such as -o x/"),
        (["a", "b", "--key", "k"], "--key names one picture"),
        (["a", "-o", ""], "an empty text is neither a file nor a folder"),
        (["a", "-o", "/proc/x"], "cannot write into /proc/x"),
        (["a", "-o", "x.png", "--output-format", "jpeg"], "--output-format jpeg, but x.png"),
        (["a", "-o", "x.webp"], "a picture ends in .png, .jpg or .jpeg"),
        ([" "], "a prompt holds blanks alone"),
        (["a", "--timeout", "nan"], "must be a number of seconds"),
        (["-5 degrees"], "comes after --"),
        (["a", "--extra", "{"], "--extra is no JSON"),
        (["a", "--extra", "7"], "--extra must be an object"),
        (["a", "--image-file", "none.png"], "--image-file none.png: No such file"),
        (["a", "--image-url", "none.png"], "image_urls[0]='none.png': must be an http"),
        (["a", "--proxy", "nonsense"], "proxy"),
        (["a", "--base-url", "nonsense"], "base_url"),
        (["a", "--base-url", ""], "an empty text is no address"),
        (["a", "--proxy", ""], "an empty text is no address"),
        (["a", "--resolution", ""], "resolution='': must be one of 1K"),
        (["a", "--aspect-ratio", ""], "aspect_ratio='': must be one of"),
        (["a", "--model", ""], "model='': must be one of"),
        (["a", "--callback-url", ""], "callback_url='': must be a public https"),
        (["a", "--extra", ""], "--extra is no JSON"),
        (["a", "-o", "mine/x.png"], "mine is a file, not a folder"),
        (["-"], "no prompt on standard input"),
        ([], "Missing argument 'PROMPT...'"),
    ],
)
def test_what_is_at_fault_is_said_before_anything_is_sent(
    arguments: list[str], says: str, nanobanana_emulator: EmulatorThread
) -> None:
    Path("mine").touch()
    done = run("generate", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not any(nanobanana_emulator.ledger().requests.values())


def test_what_is_no_text_in_utf_8_is_at_fault() -> None:
    done = run("generate", "-", stdin=b"\xff\xfe")
    assert (done.exit_code, done.stderr) == (2, "Error: standard input is no text in UTF-8\n")


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APIXO_API_KEY")
    done = run("generate", "a cat")
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: No API key: export APIXO_API_KEY=sk-… first.")


def test_a_wrong_key_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIXO_API_KEY", "sk-secret-and-wrong")
    done = run("generate", "a", "b", "c")
    assert done.exit_code == 3
    assert done.stderr.count("does not accept the key") == 1
    assert "secret" not in done.output


def test_a_host_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_client_options, "_CONNECT_PATIENCE", 0.1)
    done = run("generate", "a", "b", "--base-url", "http://127.0.0.1:1")
    assert done.exit_code == 3
    assert done.stderr.count("Error: No connection to the API for 0.1 s") == 1


@pytest.mark.nanobanana(service=LogNormal(1000, 0.1))
def test_when_the_time_is_over_what_runs_is_named(nanobanana_emulator: EmulatorThread) -> None:
    done = run("generate", "a cat", "--timeout", "0.3", "-o", "x")
    (task_id,) = nanobanana_emulator.ledger().task_ids
    assert done.exit_code == 4
    assert done.stderr.endswith(
        f"The time is over.\n1 task is still running. To go on: nanobanana wait {task_id} -o x\n"
    )


@pytest.mark.nanobanana(service=LogNormal(1000, 0.1))
def test_the_command_that_goes_on_has_the_options_that_it_needs() -> None:
    options = ["--model", "nano-banana", "--private-hosts", "--proxy", "http://me:mine@127.0.0.1:1"]
    done = run("generate", "a cat", "--timeout", "0.3", *options[:3])
    assert done.stderr.endswith(" --model nano-banana --private-hosts\n")
    assert run("wait", "task_1", "--timeout", "0.1", *options).stderr.endswith(
        "nanobanana wait task_1 --model nano-banana --private-hosts "
        "--proxy http://USER:PASSWORD@127.0.0.1:1\n"
    )


def test_a_name_that_file_names_here_cannot_hold(
    monkeypatch: pytest.MonkeyPatch, nanobanana_emulator: EmulatorThread
) -> None:
    """Where the locale is not UTF-8."""
    monkeypatch.setattr("os.fsencode", lambda name: name.encode("latin-1"))
    done = run("generate", "蟹", "Bär", "--quiet")
    assert done.exit_code == 0
    bear, crab = sorted(done.stdout.splitlines())
    assert (bear, crab[:-4] in nanobanana_emulator.ledger().task_ids) == ("bär.png", True)


@pytest.mark.nanobanana(service=LogNormal(2000, 0.1), latency=0.5)
def test_ctrl_c_names_what_runs_also_what_was_being_submitted(
    nanobanana_emulator: EmulatorThread,
) -> None:
    with started("generate", "a", "b", "c", "--json") as process:
        deadline = time.monotonic() + 20
        while nanobanana_emulator.ledger().requests.get("submit", 0) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)  # no answer has come yet
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    ids = set(nanobanana_emulator.ledger().task_ids)
    assert {json.loads(line)["task_id"] for line in out.splitlines()} == ids
    assert len(ids) == 3
    assert "Stopped.\n3 tasks are still running. To go on: nanobanana wait task_" in err
    assert all(task_id in err for task_id in ids)


@pytest.mark.nanobanana(service=LogNormal(2000, 0.1), latency=0.5)
def test_ctrl_c_pressed_in_haste_names_what_runs(nanobanana_emulator: EmulatorThread) -> None:
    with started("generate", "a", "b", "c", "--json") as process:
        deadline = time.monotonic() + 20
        while nanobanana_emulator.ledger().requests.get("submit", 0) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for _ in range(4):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    ids = nanobanana_emulator.ledger().task_ids
    assert len(ids) == 3
    assert all(task_id in err for task_id in ids)


@pytest.mark.nanobanana(data_urls=True)
def test_local_files_as_reference_images(nanobanana_emulator: EmulatorThread) -> None:
    assert run("generate", "a cat", "-o", "cat.png").exit_code == 0
    url = "https://example.com/x.png"
    done = run("generate", "a dog", "--image-file", "cat.png", "--image-url", url, "-o", "dog.png")
    assert done.exit_code == 0, done.output
    assert nanobanana_emulator.ledger().accepted == 2


def test_an_api_that_takes_no_files_says_so(nanobanana_emulator: EmulatorThread) -> None:
    Path("cat.webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8 ")
    done = run("generate", "a dog", "--image-file", "cat.webp")
    assert done.exit_code == 1
    assert "input.image_urls" in done.stderr
    assert nanobanana_emulator.ledger().accepted == 0


@pytest.mark.parametrize(
    ("content", "says"), [(b"GIF89a", "no PNG, JPEG or WebP"), (PNG + bytes(10_000_000), "10 MB")]
)
def test_files_that_are_no_reference_images(content: bytes, says: str) -> None:
    Path("x.png").write_bytes(content)
    done = run("generate", "a dog", "--image-file", "x.png")
    assert done.exit_code == 2
    assert says in done.stderr


def test_open_shows_each_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    def show(path: str) -> int:
        shown.append(path)
        return 0

    monkeypatch.setattr("click.launch", show)
    assert run("generate", "a cat", "-o", "cat.png", "--open").exit_code == 0
    assert shown == ["cat.png"]


def test_nothing_that_shows_pictures_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.launch", lambda _: 1)
    done = run("generate", "a cat", "-o", "cat.png", "--open", "--quiet")
    assert (done.exit_code, done.stderr.count("cannot be shown")) == (0, 1)
