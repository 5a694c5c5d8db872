"""Takes the pictures of the terminal that the docs show: `make docs-terminal [ONLY="demo bulk"]`.

Each is what a terminal of 80 x 24 shows at some moment of a real run, typed into a shell in tmux,
with an emulator in place of the API.
"""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from attrs import frozen
from rich.console import Console
from rich.text import Text

_HERE: Final = Path(__file__).parent
_COLUMNS: Final = 80
_PROMPT: Final = "$ "
_PATIENCE: Final = 180.0
_FONTS: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"


@frozen
class Moment:
    """When a picture is taken."""

    name: str
    """Of the picture's file."""
    shows: str | None = None
    """An expression that the screen must match; None waits for the end of the command."""


@frozen
class Run:
    """A command, and the moments at which it is looked at."""

    command: str
    moments: Sequence[Moment]
    lines: int = 24
    """Of the terminal; its 80 columns are for all."""


# The emulator that serves these has tasks of two seconds or so.
RUNS: Final = (
    Run("nanobanana --help", [Moment("help")], lines=32),
    Run("nanobanana demo", [Moment("demo", r"\b0:1[0-9]\b"), Moment("demo-end")]),
    Run(
        "nanobanana bulk prompts.csv -o run",
        [Moment("bulk", r"\b1\d\d of 300")],
    ),
    Run(
        "nanobanana generate 'a cozy cafe' 'a lighthouse' 'a heron' -o pictures/",
        [Moment("generate", r"processing")],
    ),
    Run("nanobanana doctor", [Moment("doctor")]),
)


class Terminal:
    """A shell in a tmux of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], lines: int) -> None:
        self._socket = folder / "tmux"
        self._folder = folder
        self._lines = lines
        self._environment = environment | {"TERM": "xterm-256color"}

    def __enter__(self) -> Self:
        size = ("-x", str(_COLUMNS), "-y", str(self._lines))
        shell = ("env", f"PS1={_PROMPT}", "bash", "--norc", "--noprofile")
        self._tmux("-f", os.devnull, "new-session", "-d", *size, *shell)
        self._tmux("set-option", "-g", "status", "off")
        self._wait(_PROMPT.strip() + r"\Z")
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def run(self, run: Run) -> Iterator[tuple[str, str]]:
        """Type a command; yield a name and a screen with its colours for each moment."""
        self._tmux("send-keys", "-l", run.command)
        self._wait(re.escape(run.command[-20:]))
        self._tmux("send-keys", "Enter")
        for moment in run.moments:
            self._wait(moment.shows or r"\n\$\Z")
            yield moment.name, self._tmux("capture-pane", "-e", "-p")

    def _wait(self, shows: str) -> None:
        end = time.monotonic() + _PATIENCE
        while not re.search(shows, self._tmux("capture-pane", "-p").rstrip()):
            if time.monotonic() > end:
                screen = self._tmux("capture-pane", "-p")
                raise TimeoutError(f"The terminal never showed {shows}:\n{screen}")
            time.sleep(0.1)

    def _tmux(self, *words: str) -> str:
        command = ("tmux", "-S", str(self._socket), *words)
        done = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            cwd=self._folder,
            env=self._environment,
            timeout=30,
        )
        return done.stdout


def drawn(screen: str, title: str) -> str:
    """Return a screen as SVG. Rich asks another host for its font: any of the reader's will do."""
    lines = screen.rstrip().split("\n")
    if lines[-1].strip() == _PROMPT.strip():  # the next command's
        lines.pop()
    lines.append("")  # room for the last line's descenders
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=_COLUMNS, file=nowhere, force_terminal=True)
        # All of them at once: a colour goes on into the next line.
        console.print(Text.from_ansi("\n".join(lines)), soft_wrap=True)
        svg = console.export_svg(title=title, unique_id="terminal")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: Fira Code, monospace", f"font-family: {_FONTS}", svg)
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


@contextmanager
def emulated() -> Iterator[dict[str, str]]:
    """An emulator, and the environment in which the commands find it."""
    tools = str(Path(sys.executable).parent)
    environment = {
        key: os.environ[key] for key in ("HOME", "LANG", "LC_ALL", "TMPDIR") if key in os.environ
    }
    environment |= {"PATH": f"{tools}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    command = [f"{tools}/nanobanana", "emulator", "--port", "0", "--speed", "4"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as emulator:
        try:
            for line in islice(emulator.stdout or (), 2):
                environment |= dict(re.findall(r"\b(APIXO_\w+)=(\S+)", line))
            yield environment
        finally:
            emulator.terminate()


def write_rows(folder: Path) -> None:
    """What the bulk run reads."""
    rows = [f"heron-{n},a heron in the reeds of lake {n}" for n in range(1, 301)]
    (folder / "prompts.csv").write_text("key,prompt\n" + "\n".join(rows) + "\n")


def main(only: Sequence[str]) -> None:
    """Take all pictures, or those of the runs with one of these among their names."""
    for run in RUNS:
        if only and not {moment.name for moment in run.moments} & set(only):
            continue
        with TemporaryDirectory() as place, emulated() as environment:
            write_rows(Path(place))
            with Terminal(Path(place), environment, run.lines) as terminal:
                for name, screen in terminal.run(run):
                    title = shlex.join(shlex.split(run.command)[:2])
                    (_HERE / f"{name}.svg").write_text(drawn(screen, title))
                    sys.stdout.write(f"{name}.svg\n")


if __name__ == "__main__":
    main(sys.argv[1:])
