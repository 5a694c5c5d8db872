"""One picture that the command line follows: what is known of it, from the line to the file."""

import asyncio
from enum import Enum
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from nanobanana_async import (
    ClientClosedError,
    ImageRequest,
    ImageResult,
    NanoBananaError,
    NotSubmittedError,
    QueueTimeoutError,
    SubmitUnknownError,
    TaskError,
    TaskNotFoundError,
    TaskStuckError,
)

SUBMITTING: Final = "submitting"
ASKED: Final = "asked about"
DOWNLOADING: Final = "downloading"


class End(Enum):
    """What has become of it, in the words of `--json`; docs/howto/command-line.md explains them."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    """Not accepted, nothing was paid."""
    UNKNOWN = "unknown"
    """The answer to its submit was lost: it may be paid for."""
    NOT_FOUND = "not_found"
    NOT_SUBMITTED = "not_submitted"
    """The command ended before."""
    NO_FILE = "no_file"
    """It is paid for and ready, and could not be fetched or kept."""
    UNANSWERED = "unanswered"
    """The API has not told of it so far; perhaps it does not know the id."""
    RUNNING = "running"
    """It goes on at the API."""


@define(eq=False)
class Job:
    """One picture."""

    request: ImageRequest | None = None
    """None of a task that is known by its id."""
    task_id: str | None = None
    state: str = SUBMITTING
    """In words; the API's own while it runs there."""
    since: float = 0.0
    """When it got there, on the loop's clock."""
    result: ImageResult | None = None
    error: NanoBananaError | None = None
    files: list[Path] = field(factory=list)
    over: bool = False
    """True when this command has nothing more to do about it."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        if self.request is None:
            return str(self.task_id)
        return self.request.key or self.request.prompt

    def enter(self, state: str) -> None:
        """Note a new state."""
        if state != self.state:
            self.state, self.since = state, asyncio.get_running_loop().time()

    @property
    def end(self) -> End:
        """What has become of it."""
        if self.files:
            return End.SUCCEEDED
        if self.result is not None:
            return End.NO_FILE
        if self.state == ASKED and not isinstance(self.error, TaskError | TaskNotFoundError):
            return End.UNANSWERED
        if self.error is not None:
            return _ended_by(self.error, accepted=self.task_id is not None)
        return End.RUNNING if self.task_id else End.NOT_SUBMITTED

    def as_json(self) -> dict[str, Any]:
        """Return what is known of it, fit for JSON."""
        request, result, error = self.request, self.result, self.error
        expires = result.expires_at if result else None
        return {
            "task_id": self.task_id,
            "state": self.end.value,
            "prompt": request.prompt if request else None,
            "key": request.key if request else None,
            "files": [str(path) for path in self.files],
            "urls": list(result.urls) if result else [],
            "expires_at": expires.isoformat() if expires else None,
            "processing_time": result.processing_time if result else None,
            # That this command closed its client is no error of a task that runs.
            "error": None if isinstance(error, ClientClosedError | None) else str(error),
        }


def _ended_by(error: NanoBananaError, *, accepted: bool) -> End:
    if isinstance(error, SubmitUnknownError):
        return End.UNKNOWN
    if isinstance(error, TaskNotFoundError):
        return End.NOT_FOUND
    if isinstance(error, TaskError) and not isinstance(error, TaskStuckError):
        return End.FAILED
    if accepted:  # whatever stopped the client, the task goes on
        return End.RUNNING
    stopped = isinstance(error, ClientClosedError | NotSubmittedError | QueueTimeoutError)
    return End.NOT_SUBMITTED if stopped else End.REFUSED
