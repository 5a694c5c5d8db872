"""What is said of jobs that are over, and how the command ends."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from attrs import define, field

from nanobanana_async import ClientClosedError, NanoBananaError
from nanobanana_async.cli._errors import exit_code, fail
from nanobanana_async.cli._exit_codes import DONE, MISSING, RUNNING, SIGNALLED, STOPPED
from nanobanana_async.cli._output import complain, put
from nanobanana_async.cli._words import command
from nanobanana_async.cli.jobs._display import short
from nanobanana_async.cli.jobs._job import End, Job

_LEFT: Final = {
    End.RUNNING: ("wait", "still running"),
    End.NO_FILE: ("download", "ready, and paid for"),
    End.UNANSWERED: ("wait", "without an answer so far (an unknown id takes half a minute)"),
}
"""What may be paid for and is not here: the command that goes on, and how it is said."""


@define(kw_only=True)
class JobsEnd:
    """What one command wants to be said."""

    wanted: End = End.SUCCEEDED
    """The end that leaves nothing to do; of `submit`, that the task runs."""
    as_json: bool = False
    above: Callable[[str], None] | None = None
    """Says results above a picture that changes on stdout; None where nothing moves there."""
    debug: bool = False
    again: Sequence[str] = ()
    """Options of a command that goes on: where pictures go, which model."""
    _unheard: set[Job] = field(factory=set, init=False)
    """Whose results nobody could be told: stdout is closed, or full."""

    @property
    def waits(self) -> bool:
        """True where what becomes of the tasks matters to whoever typed the command."""
        return self.wanted is not End.RUNNING

    def over(self, job: Job, say: Callable[[str], None]) -> None:
        """Say what has become of a job: results to stdout, failures by `say`."""
        for line in self._lines(job):
            if self.above is not None:
                self.above(line)
            elif self._unheard or not put(line):
                self._unheard.add(job)
        if job.error is not None and not _ends_all(job.error):
            say(f"{short(job.name)}: {job.error}")

    def end(self, jobs: Sequence[Job], signalled: int | None, *, in_time: bool) -> int:
        """Say what is left and how to go on; return the exit code."""
        stopped_by = next((job.error for job in jobs if _stops(job.error)), None)
        if stopped_by is not None:
            code = fail(stopped_by, debug=self.debug)
        elif signalled is not None:
            complain("Stopped.")
            code = SIGNALLED + signalled
        elif not in_time:
            complain("The time is over.")
            code = MISSING if any(job.end is End.UNKNOWN for job in jobs) else RUNNING
        else:
            code = self._code(jobs)
        if self._unheard and self.wanted is End.RUNNING:
            code = code or MISSING  # ids that nobody got, even where it was a pipe that was closed
        self.tell_how_to_go_on(jobs)
        return code

    def tell_how_to_go_on(self, jobs: Sequence[Job]) -> None:
        """Name what may be paid for and is not here, with the command that fetches it."""
        for end, (verb, what) in _LEFT.items():
            unsaid = self._unheard if end is self.wanted else set(jobs)
            ids = [job.task_id for job in jobs if job.end is end and job in unsaid]
            if ids:
                typed = command(verb, [*map(str, ids), *self.again])
                complain(f"{_tasks(len(ids))} {what}. To go on: {typed}")
        unsent = sum(job.end is End.NOT_SUBMITTED for job in jobs)
        if unsent:
            complain(f"{unsent:,} not submitted; nothing was paid for them.")

    def _code(self, jobs: Iterable[Job]) -> int:
        ends = {job.end for job in jobs} - {self.wanted}
        if not ends:
            return DONE
        return RUNNING if ends <= {End.RUNNING, End.UNANSWERED} else MISSING

    def _lines(self, job: Job) -> list[str]:
        if self.as_json:
            return [json.dumps(job.as_json())]
        if job.end is not self.wanted:
            return []
        return [str(job.task_id)] if self.wanted is End.RUNNING else list(map(str, job.files))


def _tasks(number: int) -> str:
    return "1 task is" if number == 1 else f"{number:,} tasks are"


def _ends_all(error: NanoBananaError) -> bool:
    return _stops(error) or isinstance(error, ClientClosedError)


def _stops(error: NanoBananaError | None) -> bool:
    closed = isinstance(error, ClientClosedError)  # by this command itself, at its end
    return error is not None and not closed and exit_code(error) == STOPPED
