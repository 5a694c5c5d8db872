"""A bulk run on the command line: the library's run, a display, signals and exit codes."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import click

from nanobanana_async import JournalError, Limits, MissingKeyError, NanoBananaError
from nanobanana_async.bulk import (
    BulkError,
    BulkSettings,
    FolderError,
    InputError,
    InvalidRowsError,
    Plan,
    Prices,
    Progress,
    Summary,
    plan,
    run as run_bulk,
)
from nanobanana_async.cli._bulk_display import bulk_display
from nanobanana_async.cli._bulk_summary import plan_text, summary_json, summary_text
from nanobanana_async.cli._bulk_view import View, Viewer, duration
from nanobanana_async.cli._display import Display
from nanobanana_async.cli._signals import first_signal

_SOME_ROWS: Final = 1
_AT_FAULT: Final = 2
_STOPPED: Final = 3
_SIGNALLED: Final = 128
_DEFAULTS: Final = ("aspect_ratio", "resolution", "output_format", "provider")


async def run(options: Mapping[str, Any]) -> int:
    """Return the exit code."""
    display = bulk_display(quiet=options["quiet"], as_json=options["as_json"])
    settings, limits, progress = _settings(options), _limits(options), Progress()
    stop = asyncio.Event()
    with first_signal() as signalled, _said_by(display):
        work = asyncio.create_task(
            run_bulk(
                options["source"],
                options["folder"],
                settings=settings,
                progress=progress,
                stop=stop,
                limits=limits,
                base_url=options["base_url"],
                private_hosts=options["private_hosts"],
            )
        )
        viewer = Viewer(progress, limits, asyncio.get_running_loop().time())
        try:
            await _watch(work, display, viewer, signalled, stop)
        except asyncio.CancelledError:
            click.echo(f"Left. All is on record: {_again(options)}", err=True)
            raise
        finally:
            work.cancel()
            await asyncio.wait([work])
    return _finished(work, options, signalled)


async def _watch(
    work: asyncio.Task[Summary],
    display: Display[View],
    viewer: Viewer,
    signalled: asyncio.Future[Any],
    stop: asyncio.Event,
) -> None:
    now = asyncio.get_running_loop().time
    told = False
    with display:
        while not work.done():
            view = viewer.view(now())
            told = told or _tell_of_charges(viewer.progress, display)
            if signalled.done() and not stop.is_set():
                stop.set()
                display.say(_stopping(view))
            display.show(view)
            waiting = {work, signalled} - {signalled if signalled.done() else None}
            await asyncio.wait(
                [one for one in waiting if one is not None],
                timeout=display.interval,
                return_when=asyncio.FIRST_COMPLETED,
            )
        if not work.cancelled() and work.exception() is None:
            display.show(viewer.view(now()))


def _tell_of_charges(progress: Progress, display: Display[View]) -> bool:
    if progress.again:
        display.say(f"{progress.again:,} rows are submitted anew; each is a new charge.")
    return progress.rows > 0


def _stopping(view: View) -> str:
    longest = f", which may take up to {duration(view.longest)}" if view.longest else ""
    return (
        f"Stopping: nothing new is submitted, {view.running:,} running ones are finished{longest}. "
        "Ctrl-C again leaves at once; nothing is lost."
    )


def _finished(
    work: asyncio.Task[Summary], options: Mapping[str, Any], signalled: asyncio.Future[Any]
) -> int:
    try:
        summary = work.result()
    except (BulkError, MissingKeyError, JournalError) as error:
        return _failed(error)
    if not options["quiet"]:
        text = summary_json(summary) if options["as_json"] else summary_text(summary)
        click.echo(text)
    if summary.stopped_by is not None:
        click.echo(f"Error: {summary.stopped_by}", err=True)
        return _STOPPED
    if signalled.done():
        click.echo(f"Stopped. To go on: {_again(options)}", err=True)
        return _SIGNALLED + int(signalled.result())
    if summary.budget_reached:
        click.echo("The budget is reached; rows are left.", err=True)
        return _STOPPED
    return 0 if summary.states["succeeded"] == summary.rows else _SOME_ROWS


def dry_run(options: Mapping[str, Any]) -> int:
    """Check the rows and say what they would take; return the exit code."""
    try:
        found: Plan = plan(
            options["source"],
            options["folder"],
            settings=_settings(options),
            limits=_limits(options),
        )
    except BulkError as error:
        return _failed(error)
    click.echo(plan_text(found, as_json=options["as_json"]))
    return 0


def _failed(error: NanoBananaError) -> int:
    click.echo(f"Error: {error}", err=True)
    if isinstance(error, InvalidRowsError):
        for rejected in error.rejected:
            click.echo(f"  {rejected}", err=True)
        if error.count > len(error.rejected):
            click.echo(f"  … and {error.count - len(error.rejected):,} more rows", err=True)
    at_fault = isinstance(error, InputError | FolderError | MissingKeyError)
    return _AT_FAULT if at_fault else _STOPPED


def _settings(options: Mapping[str, Any]) -> BulkSettings:
    defaults = {name: options[name] for name in _DEFAULTS if options[name] is not None}
    if options["google_search"]:
        defaults["google_search"] = True
    if options["image_urls"]:
        defaults["image_urls"] = list(options["image_urls"])
    try:
        return BulkSettings(
            format=options["form"],
            model=options["model"],
            defaults=defaults,
            skip_invalid=options["skip_invalid"],
            accept_changed=options["accept_changed"],
            retry_failed=options["retry_failed"],
            retry_unknown=options["retry_unknown"],
            attempts=options["attempts"],
            prices=Prices.parse(options["price"]) if options["price"] is not None else None,
            budget=options["budget"],
            download_concurrency=options["download_concurrency"],
            metadata=options["metadata"],
            report=not options["no_report"],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _limits(options: Mapping[str, Any]) -> Limits:
    return Limits(options["requests_per_minute"], options["concurrent_tasks"])


def _again(options: Mapping[str, Any]) -> str:
    return f"nanobanana bulk {options['source']} -o {options['folder']}"


@contextmanager
def _said_by(display: Display[Any]) -> Iterator[None]:
    """Let what the library warns of be said above the figures."""

    class Said(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # The tasks that are left run on, and are picked up by the next run.
            if not hasattr(record, "task_ids"):
                display.say(record.getMessage())

    handler, logger = Said(logging.WARNING), logging.getLogger("nanobanana_async")
    before, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
