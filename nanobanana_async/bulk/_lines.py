"""A row's line in the manifest, from what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from attrs import asdict

from nanobanana_async import (
    APIStatusError,
    AuthenticationError,
    ImageRequest,
    ImageResult,
    InsufficientBalanceError,
    InvalidRequestError,
    NanoBananaError,
    Picture,
    ResultUnreadableError,
    SubmitUnknownError,
    TaskFailedError,
    TaskNotFoundError,
    TaskStuckError,
)
from nanobanana_async._codec import request_from, request_record
from nanobanana_async.bulk._manifest import Line, State

__all__ = [
    "LOOKED_AT_AGAIN",
    "error_line",
    "request_of_line",
    "result_line",
    "result_of_line",
    "state_of",
]

_STATES: Final[Mapping[type[NanoBananaError], State]] = MappingProxyType(
    {
        TaskFailedError: "failed",
        TaskStuckError: "stuck",
        TaskNotFoundError: "not_found",
        ResultUnreadableError: "unreadable",
        SubmitUnknownError: "unknown",
        InvalidRequestError: "refused",
        APIStatusError: "refused",
    }
)
LOOKED_AT_AGAIN: Final = frozenset({"stuck", "not_found", "unreadable"})
"""States whose task the next run looks at again: it may have a picture yet."""


def state_of(error: NanoBananaError) -> State | None:
    """Return what a row with this error is; None where it was never sent, so may be yet."""
    if isinstance(error, AuthenticationError | InsufficientBalanceError):
        return None  # of the account, and not of the row
    if isinstance(error, APIStatusError) and error.task_id is not None:
        return "unreadable"  # the API took it, and does not let it be looked at
    for kind, state in _STATES.items():
        if isinstance(error, kind):
            return state
    return None


def result_line(
    key: str,
    request: ImageRequest,
    result: ImageResult,
    pictures: Sequence[Picture],
    error: NanoBananaError | None,
    **known: Any,
) -> dict[str, Any]:
    """Return the line of a row that has its pictures, or whose pictures could not be fetched."""
    created, completed = result.created_at, result.completed_at
    took = (completed - created).total_seconds() if created and completed else None
    return _line(
        key,
        "download_failed" if error else "succeeded",
        request,
        known
        | {
            "task_id": result.task_id,
            "urls": list(result.urls),
            "pictures": [_picture(picture) for picture in pictures],
            "created_at": _iso(created),
            "completed_at": _iso(completed),
            "service_time": took if took is not None and took >= 0 else None,
        },
        error,
    )


def error_line(
    key: str, state: State, request: ImageRequest, error: NanoBananaError, **known: Any
) -> dict[str, Any]:
    """Return the line of a row that has no picture."""
    return _line(key, state, request, known | {"task_id": error.task_id}, error)


def result_of_line(line: Line) -> tuple[ImageRequest, ImageResult]:
    """Return request and result of a line whose pictures are still to be fetched."""
    request = request_of_line(line)
    result = ImageResult(
        task_id=line["task_id"],
        urls=tuple(line["urls"]),
        created_at=_moment(line.get("created_at")),
        completed_at=_moment(line.get("completed_at")),
        processing_time=None,
        request=request,
    )
    return request, result


def request_of_line(line: Line) -> ImageRequest:
    """Return the request of a line."""
    return request_from(line.get("request") or {}, line["key"])


def _line(
    key: str,
    state: State,
    request: ImageRequest,
    known: Mapping[str, Any],
    error: NanoBananaError | None,
) -> dict[str, Any]:
    line: dict[str, Any] = {
        "key": key,
        "state": state,
        "task_id": None,
        "attempt": None,
        "attempts": 0,
        "request": request_record(request),
        "urls": [],
        "pictures": [],
        "created_at": None,
        "completed_at": None,
        "service_time": None,
        "recorded_at": _iso(datetime.now(UTC)),
        "error": _error(error) if error else None,
    }
    return line | dict(known)


def _picture(picture: Picture) -> dict[str, Any]:
    fields = asdict(picture)
    fields["file"] = fields.pop("name")
    return fields


def _error(error: NanoBananaError) -> dict[str, Any]:
    fail_code = getattr(error, "fail_code", None)
    return {
        "type": type(error).__name__,
        "message": str(error),
        "code": fail_code if fail_code is not None else error.code,
        "group": getattr(error, "group", None),
        "retryable": getattr(error, "retryable", False),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
