"""Keeps an emulator running until a signal comes, then says what it saw."""

import os
from contextlib import AsyncExitStack
from shlex import quote
from typing import Any

import click

from nanobanana_async.cli._exit_codes import DONE, MISSING
from nanobanana_async.cli._output import put
from nanobanana_async.cli._report import emulator_report
from nanobanana_async.cli._signals import first_signal
from nanobanana_async.emulator import Emulator


async def serve(settings: dict[str, Any]) -> int:
    """Serve with the emulator's keywords, and return the exit code.

    Raises:
        click.UsageError: they do not fit.
    """
    with first_signal() as signalled:
        async with AsyncExitStack() as stack:
            emulator = await _enter(stack, settings)
            if not (_announce(emulator.url, settings["api_key"]) or settings["port"]):
                return MISSING  # nobody knows where it is
            await signalled
    # The empty line closes the terminal's ^C.
    click.echo(f"\n{emulator_report(emulator.ledger(), settings)}", err=True)
    return DONE


async def _enter(stack: AsyncExitStack, settings: dict[str, Any]) -> Emulator:
    try:
        return await stack.enter_async_context(Emulator(**settings))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        # Not `strerror`, to which the socket module adds words of its own.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise click.UsageError(
            f"cannot serve on port {settings['port']}: {reason}. "
            "Choose another with --port, or any free one with --port 0"
        ) from None


def _announce(url: str, key: str) -> bool:
    # At once: whoever reads a pipe has the lines before the first request.
    heard = put(f"export APIXO_API_KEY={quote(key)}\nexport APIXO_BASE_URL={quote(url)}")
    click.echo("The emulator is running. Stop it with Ctrl-C.", err=True)
    return heard
