"""What is done before anything is sent: the input is found and checked, the manifest is read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

from attrs import define, field

from nanobanana_async._limits import Limits
from nanobanana_async._models import ImageRequest
from nanobanana_async.bulk._budget import Budget
from nanobanana_async.bulk._errors import FolderError, InputChangedError, InputError
from nanobanana_async.bulk._folder import Folder, RunFile
from nanobanana_async.bulk._input import Input, find_input
from nanobanana_async.bulk._lines import LOOKED_AT_AGAIN, request_of_line
from nanobanana_async.bulk._manifest import Entry, Line, Manifest
from nanobanana_async.bulk._prepare import (
    check_defaults,
    check_rows,
    read_rejected,
    write_rejected,
)
from nanobanana_async.bulk._settings import BulkSettings

__all__ = ["Job", "open_job"]

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
    unfinished: dict[str, Line] = field(factory=dict, init=False)
    """By key, lines of rows that may have their picture yet, without a new charge."""

    def __attrs_post_init__(self) -> None:
        self.manifest = Manifest(self.folder.results)


def open_job(
    source: str | Path,
    folder: Folder,
    settings: BulkSettings,
    limits: Limits,
    stdin: BinaryIO | None = None,
) -> Job:
    """Check everything that can be checked; blocks for as long as the files take to be read.

    Raises:
        InputError: the input, or a row, or a default is at fault.
        InputChangedError: the folder belongs to another input.
        FolderError: the folder does not hold what a run leaves.
    """
    check_defaults(settings)
    before = RunFile.read(folder.run_file)
    if before is None and folder.results.exists():
        raise FolderError(
            f"{folder.path} has a results.jsonl and no run.json", advice="Use another folder"
        )
    for part in (folder.path / "images").glob("*.part"):
        part.unlink(missing_ok=True)  # of a run that was killed
    rows = find_input(
        source, settings.format, folder, accept_changed=settings.accept_changed, stdin=stdin
    )
    run_file = _checked(rows, folder, settings, before)
    run_file.requests_per_minute = limits.requests_per_minute
    run_file.concurrent_tasks = limits.concurrent_tasks
    _check_prices(run_file, settings)
    budget = Budget(settings.prices, settings.budget, settings.model)
    rejected = read_rejected(folder.rejected)
    job = Job(folder, settings, rows, run_file, rejected, budget)
    run_file.write()
    job.manifest.load(partial(_note, job))
    return job


def _checked(
    source: Input, folder: Folder, settings: BulkSettings, before: RunFile | None
) -> RunFile:
    """Return the run file; every row is looked at, unless an earlier run has done so."""
    fingerprint = source.fingerprint(dict(settings.defaults) | {"model": settings.model})
    if before is not None and before.fingerprint == fingerprint:
        return before
    if before is not None and not settings.accept_changed:
        raise InputChangedError(
            f"{source.name}, or what its rows get by default, is not what the run in "
            f"{folder.path} began with"
        )
    found = check_rows(source, settings)
    write_rejected(folder.rejected, found.rejected)
    return RunFile(
        folder.run_file,
        input=source.name,
        fingerprint=fingerprint,
        rows=found.valid,
        # A row's line says nothing of an input that was another one.
        reached=0 if before is None else _NOTHING_PROVABLE,
        classes=[(*of, count) for of, count in found.by_class.items()],
    )


def _check_prices(run_file: RunFile, settings: BulkSettings) -> None:
    if settings.prices is None:
        return
    for model, resolution, _ in run_file.classes:
        try:
            settings.prices.of(ImageRequest("", resolution=resolution), model)
        except KeyError as error:
            raise InputError(f"No price is given for {error.args[0]}") from None


def _note(job: Job, line: Line, before: Entry | None) -> None:
    key = line["key"]
    job.unfinished.pop(key, None)
    if line["state"] == "download_failed" or _has_task(line):
        job.unfinished[key] = line
    if job.settings.prices is not None:
        attempts = line.get("attempts", 0) - (before.attempts if before else 0)
        job.budget.spend(request_of_line(line), attempts)


def _has_task(line: Mapping[str, Any]) -> bool:
    return line["state"] in LOOKED_AT_AGAIN and line.get("task_id") is not None
