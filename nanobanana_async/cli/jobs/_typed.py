"""Arguments of which each - stands for the lines of standard input."""

import sys
from collections.abc import Iterable, Iterator

import click


def spread(typed: Iterable[str]) -> Iterator[str]:
    """Yield what was typed; in place of a - the lines of standard input that hold something.

    Raises:
        click.UsageError: standard input is no text in UTF-8.
    """
    for text in typed:
        if text == "-":
            yield from _lines_of_stdin()
        else:
            yield text


def _lines_of_stdin() -> Iterator[str]:
    if sys.stdin is None:  # closed by whoever started us
        return
    # Line by line: those before one that is no text count.
    for number, line in enumerate(sys.stdin.buffer):
        try:
            text = line.decode("utf-8" if number else "utf-8-sig").strip()
        except UnicodeDecodeError:
            raise click.UsageError("standard input is no text in UTF-8") from None
        if text:
            yield text
