"""Standard output that cannot be written to: one rule for all commands."""

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import IO

import pytest

from nanobanana_async.emulator import LogNormal
from nanobanana_async.testing import EmulatorThread

from .command import MODULE

pytestmark = pytest.mark.usefixtures("nanobanana_emulator")

full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without /dev/full")


def run_into(stdout: IO[str] | int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [*MODULE, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


@full_disk
@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "a cat", "--quiet", "-o"],
        ["generate", "a cat", "--json", "--quiet", "-o"],
        ["balance"],
        ["doctor", "--json"],
        ["completion", "bash"],
        ["emulator", "--port", "0"],
        ["generate", "--help"],
        ["--help"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_a_full_disk(arguments: list[str], tmp_path: Path) -> None:
    folder = [str(tmp_path)] if arguments[-1] == "-o" else []
    with Path("/dev/full").open("w") as full:
        done = run_into(full, *arguments, *folder)
    assert (done.returncode, done.stderr) == (
        1,
        ("The emulator is running. Stop it with Ctrl-C.\n" if "emulator" in arguments else "")
        + "Error: standard output: No space left on device\n",
    )


@full_disk
def test_ids_that_cannot_be_written_are_named(nanobanana_emulator: EmulatorThread) -> None:
    with Path("/dev/full").open("w") as full:
        done = run_into(full, "submit", "a", "b", "--quiet")
    assert done.returncode == 1
    assert done.stderr.startswith("2 tasks are still running. To go on: nanobanana wait task_")
    assert done.stderr.endswith("Error: standard output: No space left on device\n")
    assert all(task_id in done.stderr for task_id in nanobanana_emulator.ledger().task_ids)
    assert nanobanana_emulator.ledger().accepted == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["generate", "a cat", "--quiet", "-o"], 0),
        (["submit", "a cat", "--quiet"], 1),
        (["balance"], 0),
        (["generate", "--help"], 1),
    ],
    ids=["generate", "submit", "balance", "help"],
)
def test_a_reader_who_has_left(arguments: list[str], code: int, tmp_path: Path) -> None:
    """That is no fault; but ids that he did not take are named."""
    reader, writer = os.pipe()
    os.close(reader)
    folder = [str(tmp_path)] if arguments[-1] == "-o" else []
    done = run_into(writer, *arguments, *folder)
    os.close(writer)
    assert done.returncode == code
    assert ("To go on: nanobanana wait task_" in done.stderr) == ("submit" in arguments)
    assert "Error" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["submit", "a cat", "--quiet"], ["balance"]], ids=["submit", "balance"]
)
def test_standard_output_that_is_closed(arguments: list[str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *MODULE, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("Error: standard output: Bad file descriptor\n")
    assert ("To go on: nanobanana wait task_" in done.stderr) == ("submit" in arguments)


@full_disk
@pytest.mark.nanobanana(service=LogNormal(1000, 0.1))
def test_a_full_disk_does_not_hide_what_the_code_says(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run_into(
            full, "generate", "a cat", "--json", "--timeout", "0.3", "-o", str(tmp_path)
        )
    assert done.returncode == 4


@full_disk
@pytest.mark.nanobanana(service=LogNormal(1000, 0.1))
def test_ids_whose_states_cannot_be_written_are_named(nanobanana_emulator: EmulatorThread) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [*MODULE, "submit", "a", "b", "--quiet"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    with Path("/dev/full").open("w") as full:
        done = run_into(full, "status", *done.stdout.split())
    assert done.returncode == 4
    assert "2 without an answer. To go on: nanobanana status task_" in done.stderr
    assert all(task_id in done.stderr for task_id in nanobanana_emulator.ledger().task_ids)


def test_an_emulator_at_a_port_that_is_known_serves_though_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *MODULE, "emulator", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - likewise
        assert process.stderr is not None
        assert process.stderr.readline().startswith("The emulator is running.")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 1
        assert process.stderr.read().endswith("Error: standard output: Bad file descriptor\n")
