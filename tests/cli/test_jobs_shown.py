"""How jobs are shown: in a terminal, as lines, as JSON; pure."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nanobanana_async import (
    APIConnectionError,
    AuthenticationError,
    ClientClosedError,
    DownloadError,
    ImageRequest,
    NanoBananaError,
    NotSubmittedError,
    QueueTimeoutError,
    SubmitUnknownError,
    TaskFailedError,
    TaskNotFoundError,
    TaskStuckError,
)
from nanobanana_async.cli._errors import exit_code, sentence
from nanobanana_async.cli._live import LiveDisplay
from nanobanana_async.cli.jobs._display import JobLines
from nanobanana_async.cli.jobs._end import JobsEnd
from nanobanana_async.cli.jobs._job import ASKED, DOWNLOADING, SUBMITTING, End, Job
from nanobanana_async.cli.jobs._picture import picture
from nanobanana_async.cli.jobs._view import JobsView


def job(name: str, state: str = SUBMITTING, *, over: bool = False) -> Job:
    return Job(ImageRequest(name), state=state, since=1.0, over=over)


def drawn(view: JobsView, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(picture(view))
    return capture.get()


def test_those_that_are_finished_soonest_stand_in_front() -> None:
    states = [SUBMITTING, "pending", "dreaming", DOWNLOADING, "processing", "submitted"]
    view = JobsView([job(state, state) for state in states], 0.0, 0.0)
    in_order = [one.state for one in view.furthest(9)]
    assert in_order == [DOWNLOADING, "dreaming", "processing", "pending", "submitted", SUBMITTING]


@pytest.mark.parametrize("width", [80, 60, 40])
def test_the_picture_of_many_fits(width: int) -> None:
    many = [
        job(f"picture {number}\nof a very long prompt" * 5, "processing") for number in range(30)
    ]
    shown = drawn(JobsView([*many, job("done", over=True)], 13.0, 14.0), width)
    lines = shown.splitlines()
    assert len(lines) == 12
    assert max(len(line.rstrip()) for line in lines) <= width - 3  # room for ^C
    assert "processing" in lines[0]
    assert "12 s" in lines[0]
    assert lines[-2].startswith("… and 20 more")
    assert "1 of 31" in lines[-1]


def test_the_picture_of_few_says_nothing_of_more() -> None:
    shown = drawn(JobsView([job("a cat"), job("a dog")], 3.0, 3.0), 80).splitlines()
    assert len(shown) == 3
    assert "0 of 2" in shown[-1]


def test_the_picture_of_none_is_not_even_a_line() -> None:
    assert drawn(JobsView([job("done", over=True)], 0.0, 0.0), 80) == ""


def test_what_is_said_stands_above_the_picture_which_stays_as_it_was() -> None:
    console = Console(file=io.StringIO(), width=60, force_terminal=True, color_system=None)
    one, other = job("a cat"), job("a dog")
    with LiveDisplay(picture, console) as display:
        display.show(JobsView([one, other], 3.0, 3.0))
        one.state, one.since = "processing", 4.0  # later than what was shown
        display.say("[bold]/a.png")
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    _, above, below = shown.rpartition("[bold]/a.png\n")
    assert above
    assert "[bold]" not in below
    assert "processing" not in below
    assert "0 of 2" in below


def test_few_jobs_have_a_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    lines, one = JobLines(), job("a  cat\nwith a hat")
    for state, task_id in ((SUBMITTING, None), (SUBMITTING, None), ("processing", "task_1")):
        one.state, one.task_id = state, task_id
        lines.show(JobsView([one], 0.0, 0.0))
    one.over = True
    lines.show(JobsView([one], 0.0, 0.0))
    assert capsys.readouterr() == (
        "",
        "a cat with a hat: submitting\na cat with a hat: processing task_1\n",
    )


def test_many_jobs_have_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    lines, many = JobLines(), [job(str(number)) for number in range(1_200)]
    many[0].over = True
    for seconds in (0.0, 4.0, 5.0, 6.0, 10.0):
        lines.show(JobsView(many, 0.0, seconds))
    assert capsys.readouterr().err == (
        "5 s: 1 of 1,200, 1,199 submitting\n10 s: 1 of 1,200, 1,199 submitting\n"
    )


@pytest.mark.parametrize(
    ("error", "accepted", "end"),
    [
        (None, True, End.RUNNING),
        (None, False, End.NOT_SUBMITTED),
        (SubmitUnknownError("x"), False, End.UNKNOWN),
        (TaskNotFoundError("x", task_id="t"), True, End.NOT_FOUND),
        (TaskFailedError("x", task_id="t"), True, End.FAILED),
        (TaskStuckError("x", task_id="t"), True, End.RUNNING),
        (ClientClosedError("x", task_id="t"), True, End.RUNNING),
        (ClientClosedError("x"), False, End.NOT_SUBMITTED),
        (NotSubmittedError("x"), False, End.NOT_SUBMITTED),
        (AuthenticationError("x"), False, End.REFUSED),
        (AuthenticationError("x"), True, End.RUNNING),
        (QueueTimeoutError("x"), False, End.NOT_SUBMITTED),
    ],
)
def test_what_has_become_of_a_job(error: NanoBananaError | None, accepted: bool, end: End) -> None:
    one = Job(task_id="t" if accepted else None, error=error)
    assert one.end is end
    assert one.as_json()["state"] == end.value


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (None, End.UNANSWERED),
        (ClientClosedError("x", task_id="t"), End.UNANSWERED),
        (AuthenticationError("x"), End.UNANSWERED),
        (APIConnectionError("x"), End.UNANSWERED),
        (TaskNotFoundError("x", task_id="t"), End.NOT_FOUND),
    ],
)
def test_what_nobody_told_of_is_not_said_to_run(error: NanoBananaError | None, end: End) -> None:
    assert Job(task_id="t", state=ASKED, error=error).end is end


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ({"files": [Path("x.png")]}, 0),
        ({"state": ASKED}, 4),
        ({"state": "processing"}, 4),
        ({"error": TaskFailedError("x", task_id="t")}, 1),
        ({"error": AuthenticationError("x")}, 3),
    ],
)
def test_what_is_left_has_an_exit_code(states: dict[str, Any], code: int) -> None:
    jobs = [Job(task_id="t", **states), Job(task_id="u", files=[Path("y.png")])]
    assert JobsEnd().end(jobs, None, in_time=True) == code


def test_a_submit_that_may_be_paid_for_is_more_than_time_that_is_over() -> None:
    lost = Job(ImageRequest("x"), error=SubmitUnknownError("x"))
    running = Job(task_id="t", state="processing")
    assert JobsEnd().end([running], None, in_time=False) == 4
    assert JobsEnd().end([running, lost], None, in_time=False) == 1


def test_that_the_command_has_ended_is_no_error_of_what_runs() -> None:
    closed = Job(task_id="t", error=ClientClosedError("x", task_id="t"))
    assert (closed.as_json()["state"], closed.as_json()["error"]) == ("running", None)


def test_once_stdout_has_failed_nothing_counts_as_heard(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written then goes nowhere, and that succeeds."""
    answers = iter([True, False, True])
    monkeypatch.setattr("nanobanana_async.cli.jobs._end.put", lambda _: next(answers))
    end = JobsEnd(wanted=End.RUNNING)
    jobs = [Job(ImageRequest("x"), f"task_{number}", over=True) for number in (1, 2, 3)]
    for one in jobs:
        end.over(one, print)
    assert end.end(jobs, None, in_time=True) == 1
    assert "2 tasks are still running. To go on: nanobanana wait task_2 task_3" in (
        capsys.readouterr().err
    )


def test_results_stand_above_what_moves(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    end = JobsEnd(above=said.append)
    end.over(Job(ImageRequest("x"), "task_1", files=[Path("x.png")], over=True), print)
    assert (said, capsys.readouterr()) == (["x.png"], ("", ""))


def caused(error: NanoBananaError, cause: Exception) -> NanoBananaError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (APIConnectionError("x"), 3),
        (caused(NotSubmittedError("x"), AuthenticationError("y")), 3),
        (NotSubmittedError("x"), 1),
        (DownloadError("x"), 1),
        (PermissionError(13, "Permission denied", "x"), 2),
        (ZeroDivisionError("x"), 70),
    ],
)
def test_each_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_a_defect_says_that_it_is_one() -> None:
    assert sentence(KeyError("x")) == (
        "KeyError: 'x'. This is a defect of nanobanana; --debug shows where"
    )
    assert sentence(OSError(13, "Permission denied", "x")) == "x: Permission denied"
