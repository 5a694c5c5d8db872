"""The doctor's work from options to exit code. Where a library is missing, it still says so."""

import asyncio
import os
import shutil
from typing import Final, NamedTuple

import click

from nanobanana_async.cli._display import in_terminal
from nanobanana_async.cli.doctor._finding import Finding, failed
from nanobanana_async.cli.doctor._text import as_object, lines, verdict
from nanobanana_async.cli.doctor._versions import check_versions

_PIPED: Final = 80  # columns
_WIDEST: Final = 100
_NARROWEST: Final = 20


class Wishes(NamedTuple):
    """The command's options."""

    base_url: str | None
    proxy: str | None
    timeout: float
    as_json: bool
    debug: bool
    """Let a check that crashes show where."""


class Record:
    """The findings so far. Each is printed at once, unless one JSON object is wanted."""

    def __init__(self, *, aloud: bool) -> None:
        self.findings: list[Finding] = []
        self._aloud = aloud

    def add(self, finding: Finding) -> None:
        """Take one more, and print it."""
        self.findings.append(finding)
        if self._aloud:
            _put(lines(finding, _width(), colour=_coloured()))

    def end(self) -> int:
        """Sum up, and return the exit code."""
        _put(verdict(self.findings) if self._aloud else as_object(self.findings))
        return int(any(finding.state == "failed" for finding in self.findings))


def run(wishes: Wishes) -> int:
    """Make all checks; return the exit code.

    Raises:
        click.UsageError: an option makes no sense; nothing was printed.
    """
    record, versions = Record(aloud=not wishes.as_json), check_versions()
    try:
        from nanobanana_async.cli.doctor import _examination as examination  # noqa: PLC0415
    except ImportError as error:
        record.add(versions)
        if versions.state != "failed":
            text = f"{error.name or 'a library'} cannot be imported"
            record.add(failed("libraries", text, "Install nanobanana-async anew"))
        return record.end()
    try:
        settings = examination.read_settings(wishes.base_url, wishes.proxy, os.environ)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for finding in (versions, *settings.findings):
        record.add(finding)
    asyncio.run(examination.examine(settings, wishes.timeout, record.add, debug=wishes.debug))
    return record.end()


def _put(text: str) -> None:
    try:
        from nanobanana_async.cli._output import put  # noqa: PLC0415 - needs a library of the core
    except ImportError:
        click.echo(text)
    else:
        put(text)


def _width() -> int:
    if not in_terminal():
        return _PIPED
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size().columns))


def _coloured() -> bool:
    return in_terminal() and not os.environ.get("NO_COLOR")
