"""`nanobanana status`: looks at tasks once."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click
from attrs import frozen

from nanobanana_async import NanoBananaClient, NanoBananaError, TaskStatus
from nanobanana_async.cli._client_options import check_model, client_of
from nanobanana_async.cli._command import debugging
from nanobanana_async.cli._errors import exit_code, fail
from nanobanana_async.cli._exit_codes import DONE, MISSING, RUNNING, STOPPED
from nanobanana_async.cli._output import answer, complain
from nanobanana_async.cli._said import said_by
from nanobanana_async.cli._silent import SilentDisplay
from nanobanana_async.cli._words import duration
from nanobanana_async.cli.jobs._ids import task_ids_of

_AT_ONCE: Final = 3.0
_UNKNOWN: Final = "30 s"
"""For so long a task that was just accepted may be unknown, so the client asks again."""


@frozen
class Look:
    """What one look has told: a status, or why there is none."""

    task_id: str
    status: TaskStatus | None = None
    error: NanoBananaError | None = None


def status(ctx: click.Context) -> int:
    """Print the states of tasks; return the exit code."""
    given = ctx.params
    client = client_of(given)
    check_model(given["model"])
    task_ids = task_ids_of(ctx)
    looks = asyncio.run(_look(client, task_ids, given["model"]))
    for look in looks:
        if given["as_json"]:
            answer(json.dumps(as_json(look)))
        elif look.status is not None:
            answer(line(look.status, datetime.now(UTC)))
        elif look.error is not None and exit_code(look.error) != STOPPED:
            complain(f"Error: {look.error}")
    for look in looks:
        if look.error is not None and exit_code(look.error) == STOPPED:
            return fail(look.error, debug=debugging(ctx))  # once: it is the same for many
    return _code(looks)


async def _look(client: NanoBananaClient, task_ids: Iterable[str], model: str | None) -> list[Look]:
    async def look(task_id: str) -> Look:
        try:
            return Look(task_id, await client.task(task_id, model=model).status())
        except NanoBananaError as error:
            return Look(task_id, error=error)

    with said_by(SilentDisplay()):
        async with client, asyncio.TaskGroup() as group:
            looks = [group.create_task(look(task_id)) for task_id in task_ids]
            _, unanswered = await asyncio.wait(looks, timeout=_AT_ONCE)
            if unanswered:
                complain(f"Still asking. To be sure that an id is unknown takes {_UNKNOWN}.")
        return [asked.result() for asked in looks]


def line(status: TaskStatus, now: datetime) -> str:
    """Put a status into one line."""
    return f"{status.task_id}  {status.state:<10}  {_detail(status, now)}".rstrip()


def _detail(status: TaskStatus, now: datetime) -> str:
    if status.state == "success":
        return " ".join(status.urls)
    if status.state == "failed":
        return ": ".join(filter(None, (status.fail_code, status.fail_message)))
    if status.created_at is None:
        return ""
    return f"for {duration(max((now - status.created_at).total_seconds(), 0.0))}"


def as_json(look: Look) -> Mapping[str, Any]:
    """Return a look, fit for JSON."""
    status, error = look.status, look.error
    created, completed = (status.created_at, status.completed_at) if status else (None, None)
    return {
        "task_id": look.task_id,
        "state": status.state if status else None,
        "urls": list(status.urls) if status else [],
        "fail_code": status.fail_code if status else None,
        "fail_message": status.fail_message if status else None,
        "created_at": created.isoformat() if created else None,
        "completed_at": completed.isoformat() if completed else None,
        "processing_time": status.processing_time if status else None,
        "error": str(error) if error else None,
    }


def _code(looks: Iterable[Look]) -> int:
    statuses = [look.status for look in looks]
    if any(status is None or status.state == "failed" for status in statuses):
        return MISSING
    return DONE if all(status and status.finished for status in statuses) else RUNNING
