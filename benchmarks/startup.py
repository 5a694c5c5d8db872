"""What it takes to begin: importing the client, and `nanobanana --help`.

Each is a process of its own, in turn with what it is compared to; the least of several times counts,
since whatever else the machine does only adds.

    python -m benchmarks.startup
"""

from __future__ import annotations

import subprocess
import sys
import time

from attrs import frozen

DEPENDENCIES = "import aiohttp, attrs, cattrs, aiolimiter, anyio"
OURS = "from nanobanana_async import NanoBananaClient"
RATIO_CEILING = 1.25
HELP_CEILING = 0.25


@frozen
class Startup:
    """Seconds of whole processes."""

    nothing: float
    """``python -c pass``."""
    dependencies: float
    """All five imported."""
    client: float
    """The client imported."""
    help: float
    """``nanobanana --help``."""

    @property
    def ratio(self) -> float:
        """The client against what it needs."""
        return self.client / self.dependencies

    @property
    def is_quick(self) -> bool:
        """True where both ceilings hold."""
        return self.ratio <= RATIO_CEILING and self.help - self.nothing <= HELP_CEILING


def measure(rounds: int = 15) -> Startup:
    """Start each so many times."""
    commands = (
        ("-c", "pass"),
        ("-c", DEPENDENCIES),
        ("-c", OURS),
        ("-m", "nanobanana_async.cli", "--help"),
    )
    times = zip(*(map(_seconds, commands) for _ in range(rounds)), strict=True)
    return Startup(*map(min, times))


def _seconds(arguments: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    return time.perf_counter() - began


def main() -> int:
    startup = measure()
    print(startup, f"ratio {startup.ratio:.2f}")
    return not startup.is_quick


if __name__ == "__main__":
    sys.exit(main())
