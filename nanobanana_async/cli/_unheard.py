"""Standard output that cannot be written to: a full disk, say. One rule for all commands.

Whoever reads a pipe may leave (`| head -1`): that is no fault, and nothing is said of it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import click

_NOTED: Final = "nanobanana_async.unheard"


class Unheard(click.ClickException):
    """What was to be said could not be."""

    exit_code = 1

    def __init__(self, error: OSError) -> None:
        """Take what the system says."""
        super().__init__(f"standard output: {error.strerror}")


@contextmanager
def heard() -> Iterator[None]:
    """Let what is written within be heard, or end the command.

    Raises:
        Unheard: it cannot be written.
        BrokenPipeError: nobody reads on.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_if_broken(sys.stdout)
        raise Unheard(error) from None


def note(error: OSError) -> None:
    """Remember for the end of the command that something was not heard; its work goes on."""
    silence_if_broken(sys.stdout)
    context = click.get_current_context(silent=True)
    if context is not None and not isinstance(error, BrokenPipeError):
        context.meta.setdefault(_NOTED, Unheard(error))


def noted(context: click.Context) -> Unheard | None:
    """Return what was noted, if anything."""
    return context.meta.get(_NOTED)


def silence_if_broken(stream: object) -> None:
    """Lead it to nowhere, as else Python would stumble over the rest in its buffer at the end."""
    try:
        stream.flush()  # type: ignore[attr-defined]
    except OSError:
        with suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        pass  # None or closed: it was taken from us before we began
