"""From an outcome to its files, its line, and its acknowledgement, in this order."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import Any, Final, Literal

from attrs import define

from nanobanana_async import (
    DownloadError,
    ImageRequest,
    ImageResult,
    JournalError,
    NanoBananaClient,
    NanoBananaError,
    Outcome,
    Picture,
    Storage,
)
from nanobanana_async._codec import request_record
from nanobanana_async._specs import MODELS
from nanobanana_async.bulk._errors import DiskError
from nanobanana_async.bulk._lines import error_line, result_line, state_of
from nanobanana_async.bulk._manifest import Entry, State
from nanobanana_async.bulk._names import file_stem, picture_name
from nanobanana_async.bulk._opening import Job
from nanobanana_async.bulk._progress import Progress

__all__ = ["Saver", "adds_nothing"]

_logger = logging.getLogger("nanobanana_async")

_ENDINGS: Final = {"png": "png", "jpeg": "jpg"}


@define
class Saver:
    """Brings outcomes to rest; several at once."""

    job: Job
    client: NanoBananaClient
    storage: Storage
    progress: Progress

    async def save(self, outcome: Outcome) -> None:
        """Return when what became of the row is safe.

        Raises:
            DiskError: it is not. The row stays in the journal, for the next run.
        """
        key, error = str(outcome.key), outcome.error
        before = self.job.manifest.entries.get(key)
        state = "succeeded" if error is None else state_of(error)
        if state is None:
            await self._unsent(key, outcome.request)
            return
        if adds_nothing(before, state, outcome.attempt):
            _acknowledge(outcome)
            self.progress.states[before.state if before else state] += 1
            return
        known: dict[str, Any] = {
            "attempt": outcome.attempt,
            "attempts": _attempts(outcome, state, before),
        }
        if outcome.result is not None:
            line = await self._with_pictures(key, outcome.request, outcome.result, known)
        else:
            line = error_line(key, state, outcome.request, _given(error), **known)
        if state == "refused":
            self.job.budget.refund(outcome.request)
        await self.job.manifest.append(line)
        _acknowledge(outcome)
        self._count(line)

    async def _unsent(self, key: str, request: ImageRequest) -> None:
        """It was never sent: the next run may send it, and an earlier line of it holds again."""
        self.job.budget.refund(request)
        line = self.job.manifest.lines.get(key)
        if line is not None and line.get("anew"):
            await self.job.manifest.append(
                {name: value for name, value in line.items() if name != "anew"}
            )

    async def _with_pictures(
        self, key: str, request: ImageRequest, result: ImageResult, known: dict[str, Any]
    ) -> dict[str, Any]:
        expected = _format(request, self.job.settings.model)
        pictures: list[Picture] = []
        failure: NanoBananaError | None = None
        self.progress.waiting_for_download += 1
        try:
            for number, url in enumerate(result.urls, 1):
                name = picture_name(key, number, _ENDINGS[expected])
                picture = await self.client.fetch(
                    url, self.storage, name, task_id=result.task_id, expected=expected
                )
                pictures.append(picture)
                self.progress.downloaded += picture.bytes
            if self.job.settings.metadata == "sidecar":
                await self._put_beside(key, request, result)
        except DownloadError as error:
            if isinstance(error.__cause__, OSError):
                raise DiskError(str(error.args[0])) from error
            failure = error
        except OSError as error:
            raise DiskError(f"What describes {key!r} cannot be written: {error}") from error
        finally:
            self.progress.waiting_for_download -= 1
        return result_line(key, request, result, pictures, failure, **known)

    async def _put_beside(self, key: str, request: ImageRequest, result: ImageResult) -> None:
        content = {"key": key, "task_id": result.task_id} | request_record(request)
        sink = await self.storage.begin(f"images/{file_stem(key)}.json")
        try:
            await sink.write(json.dumps(content, ensure_ascii=False, indent=1).encode())
            await sink.commit()
        finally:
            await sink.abort()

    def _count(self, line: dict[str, Any]) -> None:
        self.progress.states[line["state"]] += 1
        self.progress.spent = self.job.budget.spent
        self.progress.longest = max(self.progress.longest, line["service_time"] or 0.0)
        if line["error"] is not None:
            _logger.debug("Row %s: %s", line["key"], line["error"]["message"])


def _acknowledge(outcome: Outcome) -> None:
    # Where the journal is broken the next run is handed it again, and finds its line.
    with suppress(JournalError):
        outcome.acknowledge()


def adds_nothing(before: Entry | None, state: State, attempt: int | None) -> bool:
    """True where the row's line says as much as this outcome, or more.

    A run that was cut off between a line and its acknowledgement is handed the attempt again; and
    where the journal broke, the journal knows less of it than the line.
    """
    if before is None or before.anew:
        return False
    if before.state == "succeeded":
        return True
    if state == "succeeded":
        return False
    if attempt is None or before.attempt is None or attempt == before.attempt:
        return state in (before.state, "unknown")
    return attempt < before.attempt


def _attempts(outcome: Outcome, state: State, before: Entry | None) -> int:
    """Return how many submits of the row may have been paid for."""
    earlier = before.attempts if before else 0
    if state == "refused":
        return earlier
    if outcome.attempt is None:  # not on record any more, and told by something else
        return earlier + 1 if before and before.anew else max(earlier, 1)
    return earlier + (before is None or before.attempt != outcome.attempt)


def _given(error: NanoBananaError | None) -> NanoBananaError:
    return error or NanoBananaError("An outcome without a result and without an error")


def _format(request: ImageRequest, model: str) -> Literal["png", "jpeg"]:
    chosen = request.output_format or MODELS[request.model or model].output_formats[0]
    return "jpeg" if chosen == "jpeg" else "png"
