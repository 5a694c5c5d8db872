"""`nanobanana balance`: what the account holds, as the API tells it."""

import asyncio
import json
from typing import Any, Final

import click

from nanobanana_async.cli._client_options import api_options, client_of
from nanobanana_async.cli._command import Command

_EXAMPLE: Final = """\b
Example:
  nanobanana balance --json

\b
Exit codes: 0 it is shown; 2 options or key are at fault; 3 stopped by the key
or the host.
"""


@click.command(cls=Command, short_help="Show what the account holds.", epilog=_EXAMPLE)
@api_options
def balance(**given: Any) -> int:
    """Show what the account holds, as the API tells it: its form is not documented."""
    from nanobanana_async.cli._output import put  # noqa: PLC0415 - slow, not for --help

    as_json = given.pop("as_json")
    for line in _lines(asyncio.run(_ask(given)), as_json=as_json):
        put(line)
    return 0


async def _ask(given: dict[str, Any]) -> Any:
    async with client_of(given) as client:
        return await client.balance()


def _lines(told: Any, *, as_json: bool) -> list[str]:
    """Put it into lines: a name and a value each, where it has names."""
    if as_json:
        return [json.dumps(told)]
    if not isinstance(told, dict):
        return [told if isinstance(told, str) else json.dumps(told)]
    width = max(map(len, told), default=0)
    values = {name: v if isinstance(v, str) else json.dumps(v) for name, v in told.items()}
    return [f"{name:<{width}}  {value}" for name, value in values.items()]
