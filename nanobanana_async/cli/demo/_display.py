"""Which display of the demo fits where stdout goes to."""

from nanobanana_async.cli._display import Display, in_terminal
from nanobanana_async.cli._output import Enduring
from nanobanana_async.cli._plain import PlainDisplay
from nanobanana_async.cli.demo._progress import Snapshot


def demo_display() -> Display[Snapshot]:
    """Return the live display in a terminal that has a second screen, else lines on stderr."""
    return Enduring(_display())


def _display() -> Display[Snapshot]:
    if in_terminal():
        # Late: rich is slow, and not for whoever reads lines.
        from nanobanana_async.cli.demo._screen import (  # noqa: PLC0415
            ScreenDisplay,
            screen_console,
        )

        if (console := screen_console()) is not None:
            return ScreenDisplay(console)
    return PlainDisplay(line, err=True)


def line(snapshot: Snapshot) -> str:
    """Put the figures into one line."""
    failed = f", {snapshot.failed:,} failed" if snapshot.failed else ""
    return (
        f"{snapshot.seconds:4.0f} s: {snapshot.done:,}/{snapshot.total:,} done, "
        f"{snapshot.submitted:,} submitted, {snapshot.in_flight:,} in flight, "
        f"{snapshot.downloaded:,} downloaded, "
        f"{snapshot.requests_per_second:.0f} requests/s (limit {snapshot.requests_limit:.0f}), "
        f"{snapshot.refusals:,} refused{failed}"
    )
