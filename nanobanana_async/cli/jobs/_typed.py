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
    sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict")  # type: ignore[union-attr]
    try:
        yield from filter(None, map(str.strip, sys.stdin))
    except UnicodeDecodeError:
        raise click.UsageError("standard input is no text in UTF-8") from None
