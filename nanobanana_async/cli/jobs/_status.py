"""`nanobanana status`: looks at tasks once."""

import asyncio
import json
import signal
from asyncio import FIRST_COMPLETED
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click
from attrs import define, field, frozen

from nanobanana_async import NanoBananaClient, NanoBananaError, TaskStatus
from nanobanana_async.cli._client_options import check_model, client_of
from nanobanana_async.cli._command import debugging
from nanobanana_async.cli._errors import exit_code, fail
from nanobanana_async.cli._exit_codes import DONE, MISSING, RUNNING, SIGNALLED, STOPPED
from nanobanana_async.cli._output import complain, put
from nanobanana_async.cli._said import said_by
from nanobanana_async.cli._signals import first_signal
from nanobanana_async.cli._silent import SilentDisplay
from nanobanana_async.cli._words import duration
from nanobanana_async.cli.jobs._ids import name_unasked, named_if_refused, task_ids_of

_AT_ONCE: Final = 3.0
# For so long a task that was just accepted may be unknown, so the client asks again.
_STILL: Final = "Still asking. To be sure that an id is unknown takes 30 s."


@frozen
class Look:
    """What one look has told: a status, or why there is none."""

    task_id: str
    status: TaskStatus | None = None
    error: NanoBananaError | None = None


def status(ctx: click.Context) -> int:
    """Print the states of tasks; return the exit code."""
    given = ctx.params
    task_ids = task_ids_of(ctx)
    with named_if_refused(ctx, task_ids):
        client = client_of(given)
        check_model(given["model"])
    asking = Asking(client, task_ids, given["model"], _speaker(as_json=given["as_json"]))
    number = asyncio.run(asking.run())
    if number is not None:
        complain("Stopped.")
        name_unasked(ctx, asking.unanswered)
        return SIGNALLED + number
    for look in asking.looks:
        if _stops(look):
            assert look.error is not None  # noqa: S101 - for the type checker
            return fail(look.error, debug=debugging(ctx))  # once: it is the same for many
    return _code(asking.looks)


@define
class Asking:
    """Looks at tasks, all at once; each look is said in the order of the ids, as soon as may be."""

    client: NanoBananaClient
    task_ids: Sequence[str]
    model: str | None
    say: Callable[[Look], None]
    looks: list[Look] = field(factory=list)

    @property
    def unanswered(self) -> Sequence[str]:
        """Ids whose looks were not said."""
        return self.task_ids[len(self.looks) :]

    async def run(self) -> signal.Signals | None:
        """Look at all; return the signal that stopped it."""
        loop = asyncio.get_running_loop()
        with first_signal() as stopped, said_by(SilentDisplay()):
            async with self.client:
                tasks = [loop.create_task(self._look(task_id)) for task_id in self.task_ids]
                patience = loop.call_later(_AT_ONCE, complain, _STILL)
                try:
                    for task in tasks:
                        either: set[asyncio.Future[Any]] = {task, stopped}
                        await asyncio.wait(either, return_when=FIRST_COMPLETED)
                        if not task.done():
                            return stopped.result()
                        self.looks.append(task.result())
                        self.say(task.result())
                finally:
                    patience.cancel()
                    for task in tasks:
                        task.cancel()
                    await asyncio.wait(tasks)
        return None

    async def _look(self, task_id: str) -> Look:
        try:
            return Look(task_id, await self.client.task(task_id, model=self.model).status())
        except NanoBananaError as error:
            return Look(task_id, error=error)


def _speaker(*, as_json: bool) -> Callable[[Look], None]:
    def say(look: Look) -> None:
        if as_json:
            put(json.dumps(as_json_object(look)))
        elif look.status is not None:
            put(line(look.status, datetime.now(UTC)))
        elif not _stops(look):
            complain(f"Error: {look.error}")

    return say


def _stops(look: Look) -> bool:
    return look.error is not None and exit_code(look.error) == STOPPED


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


def as_json_object(look: Look) -> Mapping[str, Any]:
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
