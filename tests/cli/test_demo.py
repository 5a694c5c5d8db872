"""`nanobanana demo` as a process: piped, in a terminal, stopped halfway."""

import re
import signal
from pathlib import Path

import pytest
from PIL import Image

from .command import run, started
from .pseudo import in_terminal, no_terminals, read, resize

QUICK = ("--speed", "500")


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.iterdir():
        with Image.open(path) as image:
            image.load()
            found[path.name] = image.size
    return found


def test_piped_from_the_wish_to_the_file(tmp_path: Path) -> None:
    done = run("demo", "--n", "12", *QUICK, cwd=tmp_path)
    assert done.returncode == 0
    for text in (done.stdout, done.stderr):
        assert "\x1b" not in text
        assert "\r" not in text
    progress = done.stderr.splitlines()
    assert progress[0].startswith("12 pictures at once, from an emulator at http://127.0.0.1:")
    assert any(line.endswith("0 refused") and "12/12 done" in line for line in progress)
    pictures, *_, sheet = done.stdout.splitlines()
    assert done.stdout.count("\n") == 5
    assert re.fullmatch(r"pictures       12 of 12 in .* s, .* a second, in demo-pictures", pictures)
    assert sheet == "contact sheet  demo-pictures/contact-sheet.png"
    found = sizes(tmp_path / "demo-pictures")
    assert found.pop("contact-sheet.png") == (5 * 256, 3 * 256)
    assert len(found) == 12
    assert {max(size) for size in found.values()} == {256}
    assert len(set(found.values())) > 1


def test_the_same_seed_makes_the_same_pictures(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        run("demo", "--n", "4", *QUICK, "--seed", "1", "--out", folder, cwd=tmp_path)
    a, b = ({p.name: p.read_bytes() for p in (tmp_path / x).iterdir()} for x in "ab")
    assert len(a) == 4 + 1
    assert a == b


def test_a_proxy_of_the_environment_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert run("demo", "--n", "2", *QUICK, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_halfway(number: signal.Signals, tmp_path: Path) -> None:
    with started("demo", "--n", "30", "--speed", "0.001", "--out", "out", cwd=tmp_path) as process:
        assert process.stderr is not None
        while "30 in flight" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert out.splitlines() == ["Stopped: 0 of 30 pictures are in out"]
    assert not list((tmp_path / "out").iterdir())


def test_readers_that_left(tmp_path: Path) -> None:
    """The demo goes on, and goes on without a word."""
    with started("demo", "--n", "2", *QUICK, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "2 pictures" in process.stderr.readline()
        process.stderr.close()
        assert process.wait(timeout=30) == 0
    assert len(list((tmp_path / "demo-pictures").iterdir())) == 2 + 1


@no_terminals
def test_in_a_terminal_that_is_resized_and_stopped(tmp_path: Path) -> None:
    """Whatever its size was when a picture was drawn, each line had its place and filled it."""
    with in_terminal(
        "demo", "--n", "30", "--speed", "0.001", cwd=tmp_path, NO_COLOR="1", TERM="xterm"
    ) as (
        process,
        terminal,
    ):
        resize(terminal, 80, 24)
        seen = read(terminal, until="\x1b[24;1H")
        resize(terminal, 60, 30)
        seen += read(terminal, until="\x1b[30;1H")
        process.send_signal(signal.SIGINT)
        seen += read(terminal)
        assert process.wait(timeout=30) == 128 + signal.SIGINT
    pictures, _, end = seen.rpartition("\x1b[?25h")
    shapes = [shape(picture) for picture in pictures.split("\x1b[1;1H")[1:]]
    assert set(shapes) <= {(80, 24), (60, 30), (80, 25)}  # the last is rich's guess, before ours
    assert shapes[-1] == (60, 30)
    assert end == "\x1b[?1049lStopped: 0 of 30 pictures are in demo-pictures\r\n"
    assert not re.search(r"\x1b\[(\d+;)*[349][0-7]m", seen)


@no_terminals
def test_in_a_terminal_that_cannot_draw(tmp_path: Path) -> None:
    with in_terminal("demo", "--n", "3", *QUICK, cwd=tmp_path, TERM="dumb") as (process, terminal):
        seen = read(terminal)
        assert process.wait(timeout=30) == 0
    assert "3/3 done" in seen
    assert "\x1b" not in seen


def shape(picture: str) -> tuple[int, int]:
    """Return the width and the number of the lines of a picture; all must be of the same width."""
    lines = re.split(r"\x1b\[\d+;1H", picture)
    (width,) = {len(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line)) for line in lines}
    return width, len(lines)
