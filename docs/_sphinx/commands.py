"""The directive `commands`: a section for each command, which holds what its `--help` says."""

from typing import Any

from click import Context
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from nanobanana_async.cli._group import nanobanana

_COLUMNS = 80


class Commands(Directive):
    """Takes no argument: there is one command line."""

    def run(self) -> list[nodes.Node]:
        """Make the sections, in the order of `nanobanana --help`."""
        top = Context(nanobanana, info_name="nanobanana", terminal_width=_COLUMNS)
        sections: list[nodes.Node] = [_section(top)]
        for name in nanobanana.list_commands(top):
            command = nanobanana.get_command(top, name)
            if command is not None and not command.hidden:
                sections.append(_section(Context(command, top, name, terminal_width=_COLUMNS)))
        return sections


def _section(context: Context) -> nodes.section:
    section = nodes.section(ids=[context.command_path.replace(" ", "-")])
    text = context.command.get_help(context)
    section += nodes.title(context.command_path, context.command_path)
    section += nodes.literal_block(text, text, language="text")
    return section


def setup(app: Sphinx) -> dict[str, Any]:
    """Join the build."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
