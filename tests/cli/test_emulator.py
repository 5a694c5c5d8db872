"""`nanobanana emulator` as a process: what it prints, what it serves, how it ends."""

import signal
import socket
import subprocess
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import IO

import pytest

from nanobanana_async import NanoBananaClient, SubmitUnknownError

from .command import run, started


def environment(process: subprocess.Popen[str]) -> Mapping[str, str]:
    """Read the two lines, which come when it serves."""
    lines = [_stream(process.stdout).readline() for _ in range(2)]
    pairs = (line.removeprefix("export ").rstrip("\n").partition("=") for line in lines)
    return {name: value for name, _, value in pairs}


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(number: signal.Signals) -> None:
    with started("emulator", "--port", "0") as process:
        url = environment(process)["APIXO_BASE_URL"]
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    first, empty, title, *rows = err.splitlines()
    assert (first, empty) == ("The emulator is running. Stop it with Ctrl-C.", "")
    assert title == "What the emulator saw:"
    assert "  requests            0" in rows
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))


async def test_the_lines_fit_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with started("emulator", "--port", "0", "--speed", "5000", "--api-key", "sk-x") as process:
        for name, value in environment(process).items():
            monkeypatch.setenv(name, value)
        async with NanoBananaClient() as client:
            result = await client.generate("a cat")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert result.urls
    assert "tasks accepted      1\n" in err
    assert "checks a task       1.0\n" in err


async def test_a_fault_and_what_the_ledger_says_of_it() -> None:
    options = ("--fault", "submit_lost=1", "--requests-per-minute", "50")
    with started("emulator", "--port", "0", *options) as process:
        given = environment(process)
        async with NanoBananaClient(
            given["APIXO_API_KEY"], base_url=given["APIXO_BASE_URL"]
        ) as client:
            with pytest.raises(SubmitUnknownError):
                await client.generate("a cat")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert "faults              1 submit_lost\n" in err
    assert "fullest minute      1 requests, limit 50\n" in err


def test_episodes_come_at_their_time() -> None:
    options = ("--episode", "balance_502_html=0+3600", "--episode", "any_504=0+3600")
    with started("emulator", "--port", "0", *options) as process:
        url = environment(process)["APIXO_BASE_URL"]
        statuses = [status(url, path) for path in ("apikeys/current-balance", "statusTask/x")]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert statuses == [502, 504]
    assert "faults              1 balance_502_html, 1 check_504\n" in err


def status(url: str, path: str) -> int:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("GET", f"/api/v1/{path}")
    answer = connection.getresponse()
    connection.close()
    return answer.status


def test_a_key_is_quoted_for_the_shell() -> None:
    with started("emulator", "--port", "0", "--api-key", "$HOME'") as process:
        given = environment(process)
    assert given["APIXO_API_KEY"] == """'$HOME'"'"''"""


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("emulator", "--port", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: cannot serve on port {port}: Address already in use. "
        "Choose another with --port, or any free one with --port 0\n"
    )
