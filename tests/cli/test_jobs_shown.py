"""How jobs are shown: in a terminal, as lines, as JSON; pure."""

import io

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
    SubmitUnknownError,
    TaskFailedError,
    TaskNotFoundError,
    TaskStuckError,
)
from nanobanana_async.cli._errors import exit_code, sentence
from nanobanana_async.cli.jobs._display import JobLines
from nanobanana_async.cli.jobs._job import DOWNLOADING, IN_LINE, End, Job
from nanobanana_async.cli.jobs._picture import picture
from nanobanana_async.cli.jobs._view import JobsView


def job(name: str, state: str = IN_LINE, *, over: bool = False) -> Job:
    return Job(ImageRequest(name), state=state, since=1.0, over=over)


def drawn(view: JobsView, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(picture(view))
    return capture.get()


def test_those_that_are_finished_soonest_stand_in_front() -> None:
    states = [IN_LINE, "pending", "dreaming", DOWNLOADING, "processing", "submitted"]
    view = JobsView([job(state, state) for state in states], 0.0, 0.0)
    in_order = [one.state for one in view.furthest(9)]
    assert in_order == [DOWNLOADING, "dreaming", "processing", "pending", "submitted", IN_LINE]


@pytest.mark.parametrize("width", [80, 60])
def test_the_picture_of_many_fits(width: int) -> None:
    many = [
        job(f"picture {number}\nof a very long prompt" * 5, "processing") for number in range(30)
    ]
    shown = drawn(JobsView([*many, job("done", over=True)], 13.0, 14.0), width)
    lines = shown.splitlines()
    assert len(lines) == 12
    assert max(map(len, lines)) <= width
    assert "12 s" in lines[0]
    assert lines[-2].startswith("… and 20 more")
    assert "1 of 31" in lines[-1]


def test_the_picture_of_none_is_not_even_a_line() -> None:
    assert drawn(JobsView([job("done", over=True)], 0.0, 0.0), 80) == ""


def test_few_jobs_have_a_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    lines, one = JobLines(), job("a  cat\nwith a hat")
    for state, task_id in ((IN_LINE, None), (IN_LINE, None), ("processing", "task_1")):
        one.state, one.task_id = state, task_id
        lines.show(JobsView([one], 0.0, 0.0))
    one.over = True
    lines.show(JobsView([one], 0.0, 0.0))
    assert capsys.readouterr() == (
        "",
        "a cat with a hat: in line\na cat with a hat: processing task_1\n",
    )


def test_many_jobs_have_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    lines, many = JobLines(), [job(str(number)) for number in range(1_200)]
    many[0].over = True
    for seconds in (0.0, 4.0, 5.0, 6.0, 10.0):
        lines.show(JobsView(many, 0.0, seconds))
    assert capsys.readouterr().err == (
        "5 s: 1 of 1,200, 1,199 in line\n10 s: 1 of 1,200, 1,199 in line\n"
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
    ],
)
def test_what_has_become_of_a_job(error: NanoBananaError | None, accepted: bool, end: End) -> None:
    one = Job(task_id="t" if accepted else None, error=error)
    assert one.end is end
    assert one.as_json()["state"] == end.value


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
