"""The task ids that a command was given. Each may be paid for, and known to nobody else."""

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import click

from nanobanana_async.cli._client_options import typed_again
from nanobanana_async.cli._exit_codes import SIGNALLED
from nanobanana_async.cli._output import complain
from nanobanana_async.cli._signals import heeded, let_through
from nanobanana_async.cli._words import command
from nanobanana_async.cli.jobs._typed import spread


def task_ids_of(ctx: click.Context) -> list[str]:
    """Return the ids, each once.

    At the first Ctrl-C a pipe is read on to its end, since who writes to it got the same one and may
    have paid for what comes yet. Then, or at once after any other signal, the command ends.

    To be called with signals `postponed`, so that none that comes behind it finds nobody who knows
    the ids.

    Raises:
        click.UsageError: there is none.
        click.exceptions.Exit: it was stopped; what has come was named.
    """
    known: dict[str, None] = {}
    caught: list[signal.Signals] = []
    reads = True

    def notice(number: signal.Signals) -> None:
        caught.append(number)
        if not reads:
            return
        if caught != [signal.SIGINT]:
            raise KeyboardInterrupt
        complain("Reading ids to the end of the pipe. Ctrl-C again does not wait for it.")

    with heeded(notice) if _through_a_pipe(ctx) else let_through():
        try:
            known.update((text, None) for text in spread(ctx.params["task_ids"]) if text)
            reads = False
        except KeyboardInterrupt:
            if not caught:
                raise
        except click.UsageError:
            name_unanswered(ctx, known)
            raise
    if caught:
        complain("Stopped.")
        name_unanswered(ctx, known)
        raise click.exceptions.Exit(SIGNALLED + caught[-1])
    if not known:
        raise click.UsageError("no task id: neither typed nor on standard input")
    return list(known)


def name_unanswered(ctx: click.Context, task_ids: Iterable[str], how: str = "To go on") -> None:
    """Name the ids that are without an answer, with the command that asks for it."""
    ids = list(task_ids)
    if ids:
        again = command(str(ctx.info_name), [*ids, *typed_again(ctx)])
        complain(f"{len(ids):,} without an answer. {how}: {again}")


@contextmanager
def named_if_refused(ctx: click.Context, task_ids: Iterable[str]) -> Iterator[None]:
    """Name the ids where something refuses before anything is asked: they came through a pipe."""
    try:
        yield
    except BaseException:
        if _through_a_pipe(ctx):
            name_unanswered(ctx, task_ids, "To go on, with what is at fault put right")
        raise


def _through_a_pipe(ctx: click.Context) -> bool:
    """Tell whether a program may write the ids; somebody who types them sees them."""
    return "-" in ctx.params["task_ids"] and sys.stdin is not None and not sys.stdin.isatty()
