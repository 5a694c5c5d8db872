"""The options that all commands have which talk to the API. Imports click only."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import click

from nanobanana_async.cli._command import options

if TYPE_CHECKING:
    from nanobanana_async import NanoBananaClient

_CONNECT_PATIENCE: Final = 10.0
"""Seconds: whoever typed a command waits in front of it."""


def _not_empty(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    """Refuse a variable of the shell that is not set: the vendor would be meant without a word."""
    if text == "":
        raise click.BadParameter("an empty text is no address")
    return text


address_options = options(
    click.option(
        "--base-url",
        metavar="URL",
        callback=_not_empty,
        help="The API's address; APIXO_BASE_URL, or the vendor's.",
    ),
    click.option(
        "--proxy",
        metavar="URL",
        callback=_not_empty,
        help="HTTP proxy, such as http://proxy:3128; or HTTPS_PROXY.",
    ),
)

_GO_ON: Final = ("out", "model", "base_url", "proxy", "private_hosts")
"""Parameters without which a command that goes on would not find its tasks, or its folder."""

api_options = options(
    address_options,
    click.option("--json", "as_json", is_flag=True, help="Results as JSON, one object a line."),
)

quiet_option = click.option("--quiet", is_flag=True, help="Say nothing but what goes wrong.")


def _finite(_: click.Context, __: click.Parameter, seconds: float | None) -> float | None:
    if seconds is not None and not isfinite(seconds):
        raise click.BadParameter("must be a number of seconds")
    return seconds


place_option = click.option(
    "-o",
    "--out",
    "out",
    metavar="FILE|DIR",
    type=click.Path(),
    default=".",
    help="A .png or .jpg file, or a folder; this folder if not given. "
    "In a folder nothing is overwritten.",
)

private_hosts_option = click.option(
    "--private-hosts", is_flag=True, help="Fetch pictures from private addresses, too."
)

timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    callback=_finite,
    help="For all of it; what runs then goes on at the API.",
)


def client_of(given: Mapping[str, Any]) -> NanoBananaClient:
    """Return a client with the options of a command.

    Raises:
        MissingKeyError: there is no key.
        click.UsageError: an option makes no sense.
    """
    from nanobanana_async import NanoBananaClient  # noqa: PLC0415 - slow, not for --help

    try:
        return NanoBananaClient(
            base_url=given["base_url"],
            proxy=given["proxy"],
            private_hosts=given.get("private_hosts", False),
            connect_patience=_CONNECT_PATIENCE,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def check_model(model: str | None) -> None:
    """Refuse one that the API does not have: of a task it would be asked in vain.

    Raises:
        click.UsageError: it does not have it.
    """
    from nanobanana_async import MODELS  # noqa: PLC0415 - slow, not for --help

    if model is not None and model not in MODELS:
        raise click.UsageError(f"--model {model}: there are {', '.join(MODELS)}")


def typed_again(ctx: click.Context) -> list[str]:
    """Return those of the options that were given which the command needs that goes on."""
    again: list[str] = []
    for parameter in ctx.command.params:
        given = ctx.get_parameter_source(str(parameter.name))
        if parameter.name in _GO_ON and given is click.core.ParameterSource.COMMANDLINE:
            value = ctx.params[str(parameter.name)]
            again += [parameter.opts[0]] if value is True else [parameter.opts[0], str(value)]
    return again
