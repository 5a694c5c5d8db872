"""What is done before anything is sent: the input is found and checked, the manifest is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from attrs import define, field

from nanobanana_async._limits import Limits
from nanobanana_async.bulk._budget import Budget
from nanobanana_async.bulk._errors import InputChangedError
from nanobanana_async.bulk._folder import Folder, RunFile
from nanobanana_async.bulk._input import Input, find_input
from nanobanana_async.bulk._lines import LOOKED_AT_AGAIN, request_of_line
from nanobanana_async.bulk._manifest import Entry, Line, Manifest
from nanobanana_async.bulk._prepare import (
    check_defaults,
    check_prices,
    check_rows,
    read_rejected,
    write_rejected,
)
from nanobanana_async.bulk._settings import BulkSettings
from nanobanana_async.bulk._steps import anew

__all__ = ["Job", "check_same", "described", "open_job"]

_NOTHING_PROVABLE: Final = 1 << 60


@define
class Job:
    """A run that may begin."""

    folder: Folder
    settings: BulkSettings
    source: Input
    run_file: RunFile
    rejected: frozenset[int]
    """Lines of rows that are left out."""
    budget: Budget
    manifest: Manifest = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.manifest = Manifest(self.folder.results, self._kept)

    def _kept(self, entry: Entry, line: Line) -> bool:
        return _may_have_its_picture(line) or anew(entry, self.settings)

    def unfinished(self) -> dict[str, Line]:
        """By key, lines of rows that may have their picture yet, without a new charge."""
        lines = self.manifest.lines.items()
        return {key: line for key, line in lines if _may_have_its_picture(line)}


def open_job(
    source: str | Path,
    folder: Folder,
    settings: BulkSettings,
    limits: Limits,
    stdin: BinaryIO | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Job:
    """Check everything that can be checked; blocks for as long as the files take to be read.

    Args:
        source: a file, or ``-`` for standard input.
        folder: owned by the caller.
        settings: the run's.
        limits: the account's, for the report.
        stdin: the process's own when None.
        stopped: asked at each row; once it is true the rows are not looked at any further.

    Raises:
        BulkError: it was stopped.
        InputError: the input, or a row, or a default is at fault.
        InputChangedError: the folder belongs to another input.
        FolderError: the folder does not hold what a run leaves.
        DiskError: what is to be kept cannot be written.
    """
    check_defaults(settings)
    before = RunFile.read(folder.run_file)
    if before is None:
        folder.check_new()
    rows = find_input(source, settings.format, folder, stdin=stdin).seen()
    try:
        run_file, rejected = _checked(rows, folder, settings, before, stopped)
        rows = rows.keep()
    finally:
        rows.discard()
    run_file.requests_per_minute = limits.requests_per_minute
    run_file.concurrent_tasks = limits.concurrent_tasks
    run_file.write()
    for part in (folder.path / "images").glob("*.part"):
        with suppress(OSError):
            part.unlink()  # of a run that was killed
    budget = Budget(settings.prices, settings.budget, settings.model)
    job = Job(folder, settings, rows, run_file, rejected, budget)
    job.manifest.load(partial(_note, job))
    return job


def described(source: Input, folder: Folder, settings: BulkSettings) -> RunFile:
    """Return what tells this run from others; its rows are not looked at yet."""
    defaults = {"model": settings.model, "format": source.form} | dict(settings.defaults)
    return RunFile(
        folder.run_file,
        input=source.title,
        content=source.checksum(),
        # As it will be read again: lists for tuples.
        defaults=json.loads(json.dumps(defaults, default=str)),
    )


def check_same(now: RunFile, before: RunFile, settings: BulkSettings) -> bool:
    """Tell whether input and defaults are those that the run in the folder began with.

    Raises:
        InputChangedError: they are not, and the settings do not accept it.
    """
    changed = _changed(now, before)
    if changed is None:
        return True
    if settings.accept_changed:
        return False
    raise InputChangedError(changed)


def _changed(now: RunFile, before: RunFile) -> str | None:
    folder = now.path.parent
    another = now.content != before.content
    if another and now.input != before.input:
        return f"{folder} holds the run of {before.input}, and {now.input} is another input"
    for name in sorted(now.defaults.keys() | before.defaults.keys()):
        was, now_is = before.defaults.get(name), now.defaults.get(name)
        if was != now_is:
            return f"{name} was {_told(was)} when the run in {folder} began, and is {_told(now_is)}"
    return f"{now.input} is not what it was when the run in {folder} began" if another else None


def _told(value: object) -> str:
    return "not given" if value is None else str(value)


def _checked(
    source: Input,
    folder: Folder,
    settings: BulkSettings,
    before: RunFile | None,
    stopped: Callable[[], bool],
) -> tuple[RunFile, frozenset[int]]:
    """Return the run file and the rejected lines; the rows are looked at if no run has done so."""
    now = described(source, folder, settings)
    if before is not None and check_same(now, before, settings):
        rejected = read_rejected(folder.rejected, before.rejected)
        if rejected is not None:
            check_prices(_classes(before), settings)
            return before, rejected
        now.reached = before.reached
    elif before is not None:
        # A row's line says nothing of an input that was another one.
        now.reached = _NOTHING_PROVABLE
    found = check_rows(source, settings, stopped)
    now.rows = found.valid
    now.classes = [(*of, count) for of, count in found.by_class.items()]
    check_prices(_classes(now), settings)
    now.rejected = write_rejected(folder.rejected, found.rejected)
    return now, frozenset(one.line for one in found.rejected)


def _classes(run_file: RunFile) -> Iterable[tuple[str, str | None]]:
    return ((model, resolution) for model, resolution, _ in run_file.classes)


def _note(job: Job, line: Line, before: Entry | None) -> None:
    if job.settings.prices is not None:
        attempts = line.get("attempts", 0) - (before.attempts if before else 0)
        job.budget.spend(request_of_line(line), attempts)


def _may_have_its_picture(line: Line) -> bool:
    looked_at = line["state"] in LOOKED_AT_AGAIN and line.get("task_id") is not None
    return looked_at or line["state"] == "download_failed"
