"""From the folder of a run to its page."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from pathlib import Path, PurePath
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Final, TextIO

from nanobanana_async.bulk.report._entries import Entries, Entry
from nanobanana_async.bulk.report._failures_plot import failures_plot
from nanobanana_async.bulk.report._inside import Inside
from nanobanana_async.bulk.report._manifest import Manifest, read_manifest
from nanobanana_async.bulk.report._page import safe_json, write_page
from nanobanana_async.bulk.report._row import row_of
from nanobanana_async.bulk.report._run import Run, read_run
from nanobanana_async.bulk.report._service_plot import service_plot
from nanobanana_async.bulk.report._tally import Tally
from nanobanana_async.bulk.report._throughput import throughput
from nanobanana_async.bulk.report._thumbnails import WORKERS, Thumbnails
from nanobanana_async.bulk.report._tolerant import children, objects, text

_NAME: Final = "report.html"


def write_report(folder: Path, stopped: Callable[[], bool] = lambda: False) -> Path:
    """Write the page that shows what became of a bulk run; return its path.

    Reads results.jsonl, run.json and rejected.jsonl of the folder and its pictures, and makes the
    thumbnails that are missing. An earlier page is replaced when the new one is whole. Blocks,
    minutes for thousands of thumbnails: in a program that does more, call it in a thread.

    Args:
        folder: that of the run.
        stopped: asked at each row: once it is true there will be no page.

    Raises:
        InterruptedError: it was stopped; the thumbnails that were made stay.
        FileNotFoundError: no run has written its results there.
        ModuleNotFoundError: a thumbnail has to be made, and Pillow is not installed.
        OSError: the page cannot be written.
    """
    manifest, run, tally = read_manifest(folder), read_run(folder), Tally()
    # The rows wait in a file, because the figures come first on the page and last to be known.
    with TemporaryFile("w+", encoding="ascii", dir=folder) as rows, _replacing(folder) as page:
        _write_rows(rows, folder, manifest, tally, stopped)
        rows.seek(0)
        write_page(
            page,
            {
                "title": escape(_title(run)),
                "about": safe_json(_about(run, manifest, tally)),
                "plots": _plots(run, tally),
                "rows": lambda target: copyfileobj(rows, target),
                "rejected": lambda target: _write_rejected(target, folder),
            },
        )
    return folder / _NAME


def _write_rows(
    target: TextIO, folder: Path, manifest: Manifest, tally: Tally, stopped: Callable[[], bool]
) -> None:
    workers = ThreadPoolExecutor(WORKERS, "thumbnails")
    try:
        thumbnails = Thumbnails(folder, workers)
        thumbnails.look()
        entries = Entries(Inside(folder), thumbnails)
        _write_list(target, _counted(entries, manifest, tally, stopped))
    finally:
        # After Ctrl-C nobody wants the rest.
        workers.shutdown(cancel_futures=True)


def _counted(
    entries: Entries, manifest: Manifest, tally: Tally, stopped: Callable[[], bool]
) -> Iterator[Entry]:
    for row, entry in entries.of(row_of(line) for line in manifest.lines()):
        if stopped():
            raise InterruptedError("stopped")
        tally.add(row, entry.get("reason"))
        yield entry


def _write_rejected(target: TextIO, folder: Path) -> None:
    _write_list(
        target,
        (
            {
                "line": text(found.get("line")),
                "key": text(found.get("key")),
                "faults": [
                    {"field": text(fault.get("field")), "reason": text(fault.get("reason"))}
                    for fault in children(found.get("faults"))
                ],
            }
            for found in objects(folder / "rejected.jsonl")
        ),
    )


def _write_list(target: TextIO, entries: Iterator[Entry]) -> None:
    """Write a JSON list, an entry on each line."""
    target.write("[")
    for number, entry in enumerate(entries):
        target.write(",\n" if number else "\n")
        target.write(safe_json(entry))
    target.write("\n]")


def _title(run: Run) -> str:
    return f"{PurePath(run.input).name} · bulk run" if run.input else "Bulk run"


def _about(run: Run, manifest: Manifest, tally: Tally) -> Entry:
    done = len(manifest)
    return {
        "input": run.input,
        "asked": run.rows,
        "done": done,
        "waiting": max(0, run.rows - done) if run.rows is not None else None,
        "states": dict(tally.states.most_common()),
        "reasons": dict(tally.reasons.most_common()),
        "damaged": manifest.damaged,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _plots(run: Run, tally: Tally) -> str:
    return "\n".join(
        (
            throughput(tally.ended, run.limit(tally.service_time)),
            service_plot(tally.service_times),
            failures_plot(tally.reasons),
        )
    )


@contextmanager
def _replacing(folder: Path) -> Iterator[TextIO]:
    """Open a file that takes the page's place at the end, if no error comes before."""
    part = folder / f"{_NAME}.{os.getpid()}.part"
    try:
        # A half of a character pair is no text: it is written as a mark that browsers show as one.
        with part.open("w", encoding="utf-8", errors="xmlcharrefreplace", newline="\n") as page:
            yield page
        part.replace(folder / _NAME)
    finally:
        part.unlink(missing_ok=True)
