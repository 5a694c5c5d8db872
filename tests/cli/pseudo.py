"""Commands in a pseudo-terminal."""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from .command import MODULE

if sys.platform != "win32":
    import fcntl
    import termios

no_terminals = pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")


@contextmanager
def in_terminal(
    *arguments: str, cwd: Path, stderr: IO[str] | None = None, **variables: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a command in a pseudo-terminal, of which the other end is handed out, too."""
    master, slave = os.openpty()
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*MODULE, *arguments],
        stdout=slave,
        stderr=slave if stderr is None else stderr,
        cwd=cwd,
        env=os.environ | variables,
    )
    os.close(slave)
    with process:
        try:
            yield process, master
        finally:
            process.kill()
            os.close(master)


def resize(terminal: int, columns: int, lines: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def read(terminal: int, until: str | None = None) -> str:
    """Return what is written there, to the end or until that has come."""
    seen = b""
    with suppress(OSError):  # how Linux says that nobody writes there any more
        while (until is None or until.encode() not in seen) and (chunk := os.read(terminal, 65536)):
            seen += chunk
    return seen.decode(errors="replace")
