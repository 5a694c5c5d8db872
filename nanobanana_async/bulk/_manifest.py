"""`results.jsonl`: what became of each row, one line a row, durable before the journal hears of it.

Lines are appended. A row that is started anew gets another line, and the last one counts; at the
end of a run only those are left.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from anyio import to_thread
from attrs import define, field, frozen

from nanobanana_async.bulk._errors import DiskError, FolderError
from nanobanana_async.bulk._folder import sync_folder

__all__ = ["STATES", "Entry", "Line", "Manifest", "State", "entry_of", "read_lines"]

State = str
"""What became of a row; see `STATES`."""

STATES: Final = (
    "succeeded",
    "failed",
    "refused",
    "unknown",
    "stuck",
    "not_found",
    "unreadable",
    "download_failed",
)

Line = Mapping[str, Any]


@frozen
class Entry:
    """What has to be remembered of a row's line while the run lasts."""

    state: State
    attempt: int | None
    """The number in the journal of its last submit."""
    attempts: int
    """Submits that may have been paid for."""
    retryable: bool
    """True where the API's failure may not come again."""
    anew: bool = False
    """Written before it was submitted anew: the line is of an earlier submit."""


@define(eq=False)
class Manifest:
    """The file, open for appending."""

    path: Path
    _kept: Callable[[Entry, Line], bool] = lambda *_: False
    """Tells of which rows the line is needed again."""
    lines: dict[str, Line] = field(factory=dict, init=False)
    """By key, those lines."""
    entries: dict[str, Entry] = field(factory=dict, init=False)
    """By key, of the last line."""
    _lines: int = field(default=0, init=False)
    _file: BinaryIO | None = field(default=None, init=False)
    _waiting: list[tuple[bytes, asyncio.Future[None]]] = field(factory=list, init=False)
    _writer: asyncio.Task[None] | None = field(default=None, init=False)

    def load(self, each: Callable[[Line, Entry | None], None] = lambda *_: None) -> None:
        """Read what is there and open the file.

        `each` is given every line, with what the one before it for the same key said.

        Raises:
            FolderError: a line is none of ours, or the file cannot be read or written.
        """
        try:
            file = self._file = self.path.open("a+b")
            try:
                file.seek(0)
                self._load(file, each)
            except BaseException:
                file.close()
                raise
        except OSError as error:
            raise FolderError(f"{self.path} cannot be used: {error.strerror}") from None

    def _load(self, file: BinaryIO, each: Callable[[Line, Entry | None], None]) -> None:
        whole = 0
        for end, line in read_lines(file, self.path):
            whole = end
            self._lines += 1
            each(line, self.entries.get(line["key"]))
            self._note(line)
        file.truncate(whole)

    async def append(self, line: Line) -> None:
        """Return when the line is on the disk; those that come together share the way there.

        Raises:
            DiskError: it could not be written.
        """
        written = asyncio.get_running_loop().create_future()
        raw = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._waiting.append((raw, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        try:
            await asyncio.shield(written)
        except OSError as error:
            raise DiskError(f"{self.path} cannot be written: {error}") from error
        self._note(line)

    def _note(self, line: Line) -> None:
        key, entry = line["key"], entry_of(line)
        self.entries[key] = entry
        if self._kept(entry, line):
            self.lines[key] = line
        else:
            self.lines.pop(key, None)

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await to_thread.run_sync(self._write, b"".join(raw for raw, _ in batch))
            except Exception as error:  # noqa: BLE001 - whatever it is, they wait for it
                for _, written in batch:
                    written.set_exception(error)
                    written.exception()  # marks it as retrieved: its caller may have gone
            else:
                self._lines += len(batch)
                for _, written in batch:
                    if not written.done():
                        written.set_result(None)

    def _write(self, content: bytes) -> None:
        if self._file is None:
            raise OSError("the manifest is closed")
        end = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(content)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            self._forget_from(end)
            raise

    def _forget_from(self, end: int) -> None:
        """Half a line would spoil the next one: open anew, without what is not whole."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = self.path.open("a+b")
            self._file.truncate(end)

    async def aclose(self) -> None:
        """Wait for what is under way, and close."""
        if self._writer is not None:
            await asyncio.wait([self._writer])
        if self._file is not None:
            self._file.close()
            self._file = None

    def compact(self) -> None:
        """Leave one line a row, the last one, in their order; after `aclose`."""
        if self._lines == len(self.entries):
            return
        try:
            self._compact()
        except OSError as error:
            raise DiskError(f"{self.path} cannot be written: {error}") from error

    def _compact(self) -> None:
        last: dict[str, int] = {}
        part = self.path.with_name(f"{self.path.name}.part")
        with self.path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                last[_read(raw, number, self.path)["key"]] = number
            file.seek(0)
            kept = set(last.values())
            with part.open("wb") as new:
                new.writelines(raw for number, raw in enumerate(file, 1) if number in kept)
                new.flush()
                os.fsync(new.fileno())
        part.replace(self.path)
        sync_folder(self.path.parent)


def read_lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each line, with the number of bytes up to its end.

    Raises:
        FolderError: a line is none of ours.
    """
    whole = 0
    for number, raw in enumerate(file, 1):
        if not raw.endswith(b"\n"):
            return  # torn by a power cut: it was reported to nobody
        whole += len(raw)
        yield whole, _read(raw, number, path)


def _read(raw: bytes, number: int, path: Path) -> dict[str, Any]:
    try:
        line = json.loads(raw)
        if _is_whole(line):
            return dict(line)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise FolderError(
        f"Line {number} of {path} is none of a bulk run",
        advice="Mend or remove the line: without it the row is named as unknown",
    )


def _is_whole(line: Any) -> bool:
    """Tell whether whatever is read from it later is of the kind that it should be."""
    attempt, task_id, urls = line.get("attempt"), line.get("task_id"), line.get("urls", [])
    fits = (
        isinstance(line["key"], str)
        and line["state"] in STATES
        and type(line.get("attempts", 0)) is int
        and isinstance(task_id, str | None)
        and (attempt is None or type(attempt) is int)
        and isinstance(line.get("request") or {}, dict)
        and isinstance(line.get("error") or {}, dict)
        and isinstance(urls, list)
        and all(isinstance(url, str) for url in urls)
    )
    return fits and (line["state"] != "download_failed" or (bool(urls) and task_id is not None))


def entry_of(line: Line) -> Entry:
    """Return what has to be remembered of a line."""
    error = line.get("error") or {}
    return Entry(
        line["state"],
        line.get("attempt"),
        line.get("attempts", 0),
        line["state"] == "failed" and bool(error.get("retryable")),
        bool(line.get("anew")),
    )
