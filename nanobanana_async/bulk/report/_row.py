"""A line of the manifest: what was asked, and what became of it."""

import json
from typing import Final

from attrs import frozen

from nanobanana_async.bulk.report._tolerant import (
    Object,
    child,
    children,
    number,
    seconds,
    text,
    texts,
)

SUCCEEDED: Final = "succeeded"

# The prompt has its own place. A callback's address may hold a secret, and the page is passed on.
_NO_PARAMETERS: Final = frozenset({"prompt", "callback_url", "key"})


@frozen
class Picture:
    """A picture as the manifest has it. Nothing says yet that the file is there."""

    file: str | None
    sha256: str | None
    size: float | None
    width: float | None
    height: float | None


@frozen
class Failure:
    """Why there is no picture."""

    type: str | None
    message: str | None
    code: str | None
    group: str | None


@frozen(kw_only=True)
class Row:
    """A row of the input. Times are ISO texts as they were recorded, durations seconds."""

    key: str
    number: float | None
    state: str
    prompt: str
    parameters: dict[str, str]
    task_id: str | None
    attempt: float | None
    urls: list[str]
    pictures: list[Picture]
    sent_at: str | None
    created_at: str | None
    completed_at: str | None
    recorded_at: str | None
    service_time: float | None
    failure: Failure | None

    @property
    def resolution(self) -> str:
        """Return 1K, 2K, 4K, or that it was left to the API."""
        given = self.parameters.get("resolution")
        return given.upper() if given else "default"

    @property
    def ended(self) -> float | None:
        """Seconds since 1970 at which the API was done with it, as nearly as is known."""
        ended = seconds(self.completed_at)
        return seconds(self.recorded_at) if ended is None else ended

    @property
    def reason(self) -> str | None:
        """Return the shortest name of what went wrong; None where all is well."""
        if self.state == SUCCEEDED:
            return None
        named = self.failure and (self.failure.code or self.failure.type)
        return named or f"{self.state}, no reason given"


def row_of(line: Object) -> Row:
    """Read a line of the manifest; what is missing or of another type is left out."""
    request = child(line.get("request"))
    return Row(
        key=text(line.get("key")) or "",
        number=number(line.get("row")),
        state=text(line.get("state")) or "unreadable",
        prompt=text(request.get("prompt")) or "",
        parameters=_parameters(request),
        task_id=text(line.get("task_id")),
        attempt=number(line.get("attempt")),
        urls=texts(line.get("urls")),
        pictures=[_picture(each) for each in children(line.get("pictures"))],
        sent_at=text(line.get("sent_at")),
        created_at=text(line.get("created_at")),
        completed_at=text(line.get("completed_at")),
        recorded_at=text(line.get("recorded_at")),
        service_time=number(line.get("service_time")),
        failure=_failure(child(line.get("error"))),
    )


def _parameters(request: Object) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in request.items()
        if name not in _NO_PARAMETERS and value is not None
    }


def _picture(found: Object) -> Picture:
    return Picture(
        file=text(found.get("file")),
        sha256=text(found.get("sha256")),
        size=number(found.get("bytes")),
        width=number(found.get("width")),
        height=number(found.get("height")),
    )


def _failure(found: Object) -> Failure | None:
    if not found:
        return None
    return Failure(*(text(found.get(name)) for name in ("type", "message", "code", "group")))
