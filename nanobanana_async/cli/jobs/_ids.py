"""The task ids that a command was given. Each may be paid for, and known to nobody else."""

import signal
import sys
from contextlib import AbstractContextManager, nullcontext

import click

from nanobanana_async.cli._client_options import typed_again
from nanobanana_async.cli._exit_codes import SIGNALLED
from nanobanana_async.cli._output import complain
from nanobanana_async.cli._signals import noted_signal
from nanobanana_async.cli._words import command
from nanobanana_async.cli.jobs._typed import spread


def task_ids_of(ctx: click.Context) -> list[str]:
    """Return the ids, each once.

    On Ctrl-C a pipe is read to its end, since who writes to it got the same Ctrl-C and may have
    paid for what comes yet. Then they are named, and the command ends. A second one does not wait.

    Raises:
        click.UsageError: there is none.
        click.exceptions.Exit: it was stopped.
    """
    typed = ctx.params["task_ids"]
    known: dict[str, None] = {}
    listening: AbstractContextManager[list[signal.Signals]] = nullcontext([])
    if "-" in typed and _is_piped():
        listening = noted_signal()
    with listening as caught:
        try:
            known.update((text, None) for text in spread(typed) if text)
        except KeyboardInterrupt:
            if not caught:
                raise
    if caught:
        complain("Stopped.")
        if known:
            again = command(str(ctx.info_name), arguments=[*known, *typed_again(ctx)])
            complain(f"Nothing was asked so far. To go on: {again}")
        raise click.exceptions.Exit(SIGNALLED + caught[0])
    if not known:
        raise click.UsageError("no task id: neither typed nor on standard input")
    return list(known)


def _is_piped() -> bool:
    """Tell whether a program writes the ids; somebody who types them sees them."""
    return sys.stdin is not None and not sys.stdin.isatty()
