"""The demo on a screen of its own, which the terminal gives back in the end. Needs rich.

A screen of its own, because lines that a resized terminal has wrapped cannot be taken back: here
each line is put where it belongs, and after a change of size all of them.
"""

import os
import sys
from contextlib import ExitStack, redirect_stderr
from io import StringIO
from types import TracebackType
from typing import Final, Self

from rich.console import Console

from nanobanana_async.cli.demo._ink import ink_for
from nanobanana_async.cli.demo._picture import picture
from nanobanana_async.cli.demo._progress import Snapshot


def screen_console() -> Console | None:
    """Return a console on stdout; None where it cannot have a screen of its own."""
    console = Console(highlight=False)
    return console if console.is_terminal and not console.legacy_windows else None


class ScreenDisplay:
    """Draws each snapshot over the one before it."""

    interval: Final = 0.1

    def __init__(self, console: Console) -> None:
        """Draw on `console`, with what it can show."""
        self._console = console
        coloured = console.color_system is not None and not console.no_color
        self._ink = ink_for(coloured=coloured, ascii_only=console.options.ascii_only)
        self._exit = ExitStack()
        self._said = StringIO()

    def __enter__(self) -> Self:
        console = self._console
        console.set_alt_screen(True)
        self._exit.callback(self._say_all)
        self._exit.callback(console.set_alt_screen, False)
        console.show_cursor(False)
        self._exit.callback(console.show_cursor, True)
        # A warning in the middle of it would not be legible, and gone with the screen.
        self._exit.enter_context(redirect_stderr(self._said))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exit.close()

    def show(self, snapshot: Snapshot) -> None:
        width, height = self._size()
        self._console.update_screen_lines(picture(snapshot, width, height, self._ink))

    def say(self, text: str) -> None:
        self._said.write(f"{text}\n")

    def _say_all(self) -> None:
        sys.stderr.write(self._said.getvalue())

    def _size(self) -> tuple[int, int]:
        """Return the terminal's size, whatever the environment says that it was once."""
        console = self._console
        try:
            size = os.get_terminal_size(console.file.fileno())
        except OSError:  # no terminal
            return console.size
        return size if all(size) else console.size
