"""The doctor's findings as lines of a terminal, or as one JSON object; pure."""

import json
import textwrap
from collections.abc import Iterable
from typing import Final

import click

from nanobanana_async.cli.doctor._finding import Finding

_COLOURS: Final = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "bright_black"}
_STATE: Final = 9  # columns
_NAME: Final = 12
_NARROW: Final = 64
"""Below this there is no room for columns."""


def lines(finding: Finding, width: int, *, colour: bool) -> str:
    """Write a finding in lines of at most `width` columns."""
    if width < _NARROW:
        first, indent = f"{finding.state} {finding.name}: ", "  "
    else:
        first = f"{finding.state:<{_STATE}}{finding.name:<{_NAME}}"
        indent = " " * len(first)
    text = _wrapped(finding.text, width, first, indent)
    if finding.advice:
        text += "\n" + _wrapped(finding.advice, width, indent, indent)
    if colour:
        state = click.style(finding.state, fg=_COLOURS[finding.state])
        text = state + text.removeprefix(finding.state)
    return text


def verdict(findings: Iterable[Finding]) -> str:
    """Sum up, in a line."""
    states = [finding.state for finding in findings]
    failed, warnings = states.count("failed"), states.count("warning")
    if not failed:
        return f"Nothing failed; {_counted(warnings, 'warning')}." if warnings else "All is well."
    behind = f", {_counted(warnings, 'warning')}" if warnings else ""
    return f"{_counted(failed, 'check')} failed{behind}."


def as_object(findings: Iterable[Finding]) -> str:
    """Write all findings as one JSON object."""
    findings = list(findings)
    return json.dumps(
        {
            "ok": all(finding.state != "failed" for finding in findings),
            "checks": [
                {
                    "name": finding.name,
                    "state": finding.state,
                    "text": finding.text,
                    "advice": finding.advice or None,
                    "facts": dict(finding.facts),
                }
                for finding in findings
            ],
        }
    )


def _wrapped(text: str, width: int, first: str, indent: str) -> str:
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
    )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
