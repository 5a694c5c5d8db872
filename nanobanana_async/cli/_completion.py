"""`nanobanana completion`: what makes a shell complete the commands and their options."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from nanobanana_async.cli._command import Command

_EXAMPLES: Final = """\b
Examples:
  eval "$(nanobanana completion bash)"      in ~/.bashrc
  eval "$(nanobanana completion zsh)"       in ~/.zshrc
  nanobanana completion fish > ~/.config/fish/completions/nanobanana.fish
"""


@click.command(cls=Command, short_help="Complete commands in your shell.", epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete commands and options."""
    from nanobanana_async.cli._output import put  # noqa: PLC0415 - slow, not for --help

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows all three
    put(kind(ctx.find_root().command, {}, "nanobanana", "_NANOBANANA_COMPLETE").source())
