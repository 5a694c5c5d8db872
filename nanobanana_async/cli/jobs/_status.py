"""`nanobanana status`: looks at tasks once."""

import asyncio
import json
import signal
from asyncio import FIRST_COMPLETED
from collections.abc import Iterable, Mapping, Sequence
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
from nanobanana_async.cli._signals import postponed, signals
from nanobanana_async.cli._silent import SilentDisplay
from nanobanana_async.cli._words import duration
from nanobanana_async.cli.jobs._ids import name_unanswered, named_if_refused, task_ids_of

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
    with postponed():
        task_ids = task_ids_of(ctx)
        with named_if_refused(ctx, task_ids):
            client = client_of(given)
            check_model(given["model"])
        asking = Asking(client, task_ids, given["model"], as_json=given["as_json"])
        try:
            number = asyncio.run(asking.run())
        except BaseException:
            name_unanswered(ctx, asking.unanswered)
            raise
        code = _code(asking.looks)
        if number is not None:
            complain("Stopped.")
            code = SIGNALLED + number
        elif stopped_by := next(filter(None, map(_stopping, asking.looks)), None):
            code = fail(stopped_by, debug=debugging(ctx))  # once: it is the same for many
        name_unanswered(ctx, asking.unanswered)
        return code


@define
class Asking:
    """Looks at tasks, all at once; each look is said as soon as it is there."""

    client: NanoBananaClient
    task_ids: Sequence[str]
    model: str | None
    as_json: bool = False
    looks: list[Look] = field(factory=list)
    _told: set[str] = field(factory=set, init=False)

    @property
    def unanswered(self) -> Iterable[str]:
        """Ids of which nobody was told anything."""
        return [task_id for task_id in self.task_ids if task_id not in self._told]

    async def run(self) -> signal.Signals | None:
        """Look at all; return the signal that stopped it."""
        loop = asyncio.get_running_loop()
        with signals() as pressed, said_by(SilentDisplay()):
            async with self.client:
                tasks = [loop.create_task(self._ask(task_id)) for task_id in self.task_ids]
                work = loop.create_task(asyncio.wait(tasks))
                patience = loop.call_later(_AT_ONCE, complain, _STILL)
                try:
                    either: set[asyncio.Future[Any]] = {work, pressed.first}
                    await asyncio.wait(either, return_when=FIRST_COMPLETED)
                    is_over = work.done()
                finally:
                    patience.cancel()
                    for task in tasks:
                        task.cancel()
                    await work
        for task in tasks:
            if not task.cancelled():
                task.result()  # a defect
        return None if is_over else pressed.first.result()

    async def _ask(self, task_id: str) -> None:
        look = await self._look(task_id)
        self.looks.append(look)
        if self._say(look) and _stopping(look) is None:
            self._told.add(task_id)

    async def _look(self, task_id: str) -> Look:
        try:
            return Look(task_id, await self.client.task(task_id, model=self.model).status())
        except NanoBananaError as error:
            return Look(task_id, error=error)

    def _say(self, look: Look) -> bool:
        """Say it; False where nobody hears it."""
        if self.as_json:
            return put(json.dumps(as_json(look)))
        if look.status is not None:
            return put(line(look.status, datetime.now(UTC)))
        if _stopping(look) is None:
            complain(f"Error: {look.error}")
        return True


def _stopping(look: Look) -> NanoBananaError | None:
    """Return the error of a look that stops all of them: of the key, the account or the host."""
    return look.error if look.error and exit_code(look.error) == STOPPED else None


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
