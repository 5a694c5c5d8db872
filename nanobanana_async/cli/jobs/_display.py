"""How the jobs of a command are shown: live, as lines, or not at all."""

from typing import Final

from attrs import define, field

from nanobanana_async.cli._display import Display, Still
from nanobanana_async.cli._output import Enduring, complain
from nanobanana_async.cli._silent import SilentDisplay
from nanobanana_async.cli.jobs._job import Job
from nanobanana_async.cli.jobs._view import JobsView

_FEW: Final = 20
"""Jobs whose every step is worth a line."""
_EVERY: Final = 5.0
_NAME: Final = 40


def live_display() -> Display[JobsView]:
    """Return one that changes in place."""
    # Late: rich is slow, and not for whoever reads lines.
    from nanobanana_async.cli._live import LiveDisplay  # noqa: PLC0415
    from nanobanana_async.cli.jobs._picture import picture  # noqa: PLC0415

    live: Display[JobsView] = LiveDisplay(picture)
    return Enduring(live)


def still_display(*, quiet: bool) -> Display[JobsView]:
    """Return one for whoever reads lines, or wants none."""
    return Enduring(SilentDisplay() if quiet else JobLines())


@define
class JobLines(Still):
    """A line on stderr for each step of a job; of many jobs, now and then their counts."""

    interval: float = 0.2
    _seen: dict[Job, str] = field(factory=dict, init=False)
    _due: float = field(default=_EVERY, init=False)

    def show(self, snapshot: JobsView) -> None:
        """Say what is new."""
        if len(snapshot.jobs) <= _FEW:
            for job in snapshot.jobs:
                self._show_job(job)
        elif snapshot.seconds >= self._due:
            self._due = snapshot.seconds + _EVERY
            complain(counts(snapshot))

    def say(self, text: str) -> None:
        """Say it."""
        complain(text)

    def _show_job(self, job: Job) -> None:
        if not job.over and self._seen.get(job) != job.state:
            self._seen[job] = job.state
            task = f" {job.task_id}" if job.task_id and job.name != job.task_id else ""
            complain(f"{short(job.name)}: {job.state}{task}")


def counts(view: JobsView) -> str:
    """Put the jobs into one line."""
    states = "".join(f", {number:,} {state}" for state, number in view.states.items())
    return f"{view.seconds:.0f} s: {view.over:,} of {len(view.jobs):,}{states}"


def short(name: str, longest: int = _NAME) -> str:
    """Cut a prompt to one short line."""
    line = " ".join(name.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
