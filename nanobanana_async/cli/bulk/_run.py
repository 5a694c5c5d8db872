"""A bulk run on the command line: the library's run, a display, signals and exit codes."""

import asyncio
import signal
from collections.abc import Mapping
from typing import Any, BinaryIO, Final, cast

from attrs import define

from nanobanana_async import NanoBananaError
from nanobanana_async.bulk import Progress, Summary, plan, run as run_bulk
from nanobanana_async.cli._display import Display
from nanobanana_async.cli._output import complain, put
from nanobanana_async.cli._said import said_by
from nanobanana_async.cli._signals import first_signal
from nanobanana_async.cli._words import command, counted, duration
from nanobanana_async.cli.bulk._display import bulk_display
from nanobanana_async.cli.bulk._end import ended, failed
from nanobanana_async.cli.bulk._options import client_of, limits_of, settings_of
from nanobanana_async.cli.bulk._stdin import StandardInput
from nanobanana_async.cli.bulk._summary import plan_text, summary_json, summary_text
from nanobanana_async.cli.bulk._view import View, Viewer

_TICK: Final = 0.1
_WHAT_FAILS: Final = (NanoBananaError, OSError)


async def run(options: Mapping[str, Any]) -> int:
    """Return the exit code."""
    try:
        settings, client = settings_of(options), client_of(options)
    except NanoBananaError as error:
        return failed(error)
    display = bulk_display(quiet=options["quiet"], as_json=options["as_json"])
    stdin = StandardInput.of_process() if options["source"] == "-" else None
    progress, stop = Progress(), asyncio.Event()
    with first_signal() as signalled, said_by(display) as said:
        work = asyncio.create_task(
            run_bulk(
                options["source"],
                options["folder"],
                settings=settings,
                progress=progress,
                stop=stop,
                stdin=cast("BinaryIO | None", stdin),
                **client,
            )
        )
        viewer = Viewer(progress, client["limits"], asyncio.get_running_loop().time())
        try:
            await _Watch(work, display, viewer, signalled, stop, stdin).watch()
        except asyncio.CancelledError:
            said.left = True
            complain(f"Left. All is on record: {_again(options)}")
            raise
        finally:
            work.cancel()
            await asyncio.wait([work])
            if stdin is not None:
                stdin.close()
    number = int(signalled.result()) if signalled.done() else None
    return _finished(work, options, number)


@define
class _Watch:
    """Shows how the run goes, and hands on the first signal."""

    work: asyncio.Task[Summary]
    display: Display[View]
    viewer: Viewer
    signalled: asyncio.Future[signal.Signals]
    stop: asyncio.Event
    stdin: StandardInput | None
    _told: bool = False
    _told_of_report: bool = False

    async def watch(self) -> None:
        """Return when the run is over."""
        now = asyncio.get_running_loop().time
        due = now() + self.display.interval
        self.viewer.view(now())  # from here on rates are measured
        with self.display:
            while not self.work.done():
                await asyncio.wait({self.work}, timeout=_TICK)
                self._tell_of_charges()
                self._tell_of_report()
                self._heed_signal(now())
                if now() >= due and not self.work.done() and not self._somebody_types():
                    self.display.show(self.viewer.view(now()))
                    due = now() + self.display.interval
            if not self.work.cancelled() and self.work.exception() is None:
                self.display.show(self.viewer.view(now()))

    def _somebody_types(self) -> bool:
        """Tell whether rows are being typed: figures between them would be in the way."""
        return self.viewer.progress.rows == 0 and self.stdin is not None and self.stdin.isatty()

    def _tell_of_charges(self) -> None:
        again = self.viewer.progress.again
        if again and not self._told:
            self._told = True
            self.display.say(f"{counted(again)} submitted anew; each is a new charge.")

    def _tell_of_report(self) -> None:
        if self.viewer.progress.writing_report and not self._told_of_report:
            self._told_of_report = True
            self.display.say("All rows are at rest; writing the report.")

    def _heed_signal(self, now: float) -> None:
        if self.signalled.done() and not self.stop.is_set():
            self.stop.set()
            if self.stdin is not None:
                self.stdin.stop()
            self.display.say(_stopping(self.viewer.view(now)))


def _stopping(view: View) -> str:
    if not view.rows:
        return "Stopping: the rows are not looked at any further, nothing was sent."
    longest = f", which may take up to {duration(view.longest)}" if view.longest else ""
    return (
        f"Stopping: nothing new is submitted, {view.running:,} running ones are finished{longest}. "
        "Ctrl-C again leaves at once; nothing is lost."
    )


def _finished(work: asyncio.Task[Summary], options: Mapping[str, Any], number: int | None) -> int:
    again = _again(options)
    try:
        summary = work.result()
    except _WHAT_FAILS as error:
        code = failed(error)
        return code if number is None else 128 + number
    if options["as_json"]:
        put(summary_json(summary))
    elif not options["quiet"]:
        put(summary_text(summary))
    elif summary.states["succeeded"] != summary.rows:
        complain(summary_text(summary))
    return ended(summary, number, again)


def dry_run(options: Mapping[str, Any]) -> int:
    """Check the rows and say what they would take; return the exit code."""
    try:
        found = plan(
            options["source"],
            options["folder"],
            settings=settings_of(options),
            limits=limits_of(options),
        )
    except _WHAT_FAILS as error:
        return failed(error)
    put(plan_text(found, as_json=options["as_json"]))
    return 0


def _again(options: Mapping[str, Any]) -> str:
    return command("bulk", options["typed"])
