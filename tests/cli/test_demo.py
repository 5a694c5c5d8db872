"""`nanobanana demo` as a process: piped, in a terminal, stopped halfway."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from .command import MODULE, run, started

QUICK = ("--speed", "500")


def sizes(folder: Path) -> list[tuple[int, int]]:
    found = []
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            image.load()
            found.append(image.size)
    return found


def test_piped_from_the_wish_to_the_file(tmp_path: Path) -> None:
    done = run("demo", "--n", "12", *QUICK, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].startswith("12 pictures at once, from an emulator at http://127.0.0.1:")
    assert any(line.endswith("0 refused") and "12/12 done" in line for line in lines)
    assert any(line.startswith("  pictures            12 of 12 in ") for line in lines)
    assert "  refusals            0" in lines
    assert "  submitted twice     0 prompts" in lines
    assert lines[-1] == "The pictures are in demo-pictures"
    found = sizes(tmp_path / "demo-pictures")
    assert len(found) == 12
    assert {max(size) for size in found} == {256}
    assert len(set(found)) > 1


def test_the_same_seed_makes_the_same_pictures(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        run("demo", "--n", "4", *QUICK, "--seed", "1", "--out", folder, cwd=tmp_path)
    a, b = ({p.name: p.read_bytes() for p in (tmp_path / x).iterdir()} for x in "ab")
    assert len(a) == 4
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
        assert process.stdout is not None
        while "30 in flight" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (128 + number, "")
    assert out.splitlines() == ["Stopped: 0 of 30 pictures are in out"]
    assert not list((tmp_path / "out").iterdir())


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    with started("demo", "--n", "30", "--speed", "0.001", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert "30 pictures" in process.stdout.readline()
        assert "0/30 done" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_in_a_terminal_without_colour(tmp_path: Path) -> None:
    seen = in_terminal(tmp_path, NO_COLOR="1", TERM="xterm")
    assert "3 of 3" in seen
    assert "\x1b[1A" in seen  # it draws over what it drew
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", seen)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_in_a_terminal_that_cannot_draw(tmp_path: Path) -> None:
    seen = in_terminal(tmp_path, TERM="dumb")
    assert "3/3 done" in seen
    assert "\x1b" not in seen


def in_terminal(folder: Path, **variables: str) -> str:
    """Run a small demo in a pseudo-terminal and return all that it wrote there."""
    master, slave = os.openpty()
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*MODULE, "demo", "--n", "3", *QUICK], stdout=slave, cwd=folder, env=os.environ | variables
    )
    os.close(slave)
    seen = b""
    with process:
        try:
            while chunk := os.read(master, 4096):
                seen += chunk
        except OSError:  # how Linux says that nobody writes there any more
            pass
        finally:
            os.close(master)
    assert process.returncode == 0
    return seen.decode()
