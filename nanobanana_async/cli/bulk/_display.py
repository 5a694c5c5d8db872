"""How the figures of a bulk run are shown: live, as lines, as JSON, or not at all."""

import json
import sys

from attrs import asdict

from nanobanana_async.cli._display import Display, in_terminal
from nanobanana_async.cli._output import Enduring
from nanobanana_async.cli._plain import PlainDisplay
from nanobanana_async.cli._silent import SilentDisplay
from nanobanana_async.cli._words import duration, size
from nanobanana_async.cli.bulk._view import View

_EVERY = 5.0


def bulk_display(*, quiet: bool, as_json: bool) -> Display[View]:
    """Return the display that was asked for, or that fits where stdout goes to."""
    return Enduring(_display(quiet=quiet, as_json=as_json))


def _display(*, quiet: bool, as_json: bool) -> Display[View]:
    if quiet:
        return SilentDisplay()
    if as_json:
        return PlainDisplay(json_line, _EVERY)
    if sys.stdout is not None and in_terminal():
        # Late: rich is slow, and not for whoever reads lines.
        from nanobanana_async.cli._live import LiveDisplay  # noqa: PLC0415
        from nanobanana_async.cli.bulk._picture import picture  # noqa: PLC0415

        return LiveDisplay(picture)
    return PlainDisplay(line, _EVERY)


def line(view: View) -> str:
    """Put the figures into one line."""
    if not view.rows:
        return f"{duration(view.seconds)}: looking at the rows"
    left = view.seconds_left
    parts = [
        f"{duration(view.seconds)}: {view.done:,}/{view.rows:,} rows",
        f"{view.running:,} running",
        *([f"{view.failed:,} failed"] if view.failed else []),
        *([f"{view.unknown:,} unknown"] if view.unknown else []),
        f"{size(view.downloaded)} downloaded",
        f"{view.rows_per_second:.1f} rows/s",
        f"{view.requests_per_second:.0f} requests/s (limit {view.requests_limit:.0f})",
        f"{view.refusals:,} refused",
        *([f"about {duration(left)} left"] if left is not None and not view.stopping else []),
        *(["stopping"] if view.stopping else []),
    ]
    return ", ".join(parts)


def json_line(view: View) -> str:
    """Put the figures into a JSON object."""
    left = view.seconds_left
    return json.dumps({"event": "progress"} | asdict(view) | {"seconds_left": left})
