"""How the jobs of one command run and end, in virtual time: signals, `--timeout`, defects."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import pytest
from attrs import define, field

from nanobanana_async import (
    ClientClosedError,
    ImageRequest,
    ImageResult,
    NanoBananaClient,
    NanoBananaError,
)
from nanobanana_async.cli._display import Still
from nanobanana_async.cli.jobs._end import JobsEnd
from nanobanana_async.cli.jobs._follow import Following, take
from nanobanana_async.cli.jobs._job import DOWNLOADING, SUBMITTING, End, Job
from nanobanana_async.cli.jobs._place import Place
from nanobanana_async.cli.jobs._run import JobsRun
from nanobanana_async.cli.jobs._view import JobsView
from nanobanana_async.emulator import run_virtual

RESULT = ImageResult(
    task_id="task_1",
    urls=("http://example.org/1.png",),
    created_at=None,
    completed_at=None,
    processing_time=None,
    request=None,
)


@define
class FakeClient:
    """Submits that are under way hold up its closing; those who wait are told of it."""

    submits_take: float = 0.0
    closed: asyncio.Event = field(factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed.set()

    async def aclose(self) -> None:
        try:
            await asyncio.sleep(self.submits_take)
        finally:
            self.closed.set()

    def statistics(self) -> Any:
        return SimpleNamespace(submitting=2)

    async def wait(self) -> None:
        """Wait as a call of the client does that is never answered."""
        await self.closed.wait()
        await asyncio.sleep(0.1)
        raise ClientClosedError("The client was closed", task_id="task_1")


def a_client(fake: object) -> NanoBananaClient:
    """As much of one as a run of jobs needs."""
    return cast(NanoBananaClient, fake)


@define
class Shown(Still):
    """Remembers when it was told what."""

    interval: float = 60.0
    """As seldom as with `--quiet`."""
    said: list[tuple[float, str]] = field(factory=list)
    shown: list[JobsView] = field(factory=list)

    def show(self, snapshot: JobsView) -> None:
        self.shown.append(snapshot)

    def say(self, text: str) -> None:
        self.said.append((asyncio.get_running_loop().time(), text))


Step = Callable[[FakeClient, Job], Awaitable[None]]


def ended(
    step: Step,
    *,
    presses: tuple[float, ...] = (),
    client: FakeClient | None = None,
    timeout: float | None = None,
    display: Shown | None = None,
) -> tuple[int, float, Job]:
    """Run one job; the exit code, the seconds that it took, and the job."""
    fake, job = client or FakeClient(), Job(ImageRequest("a cat"))

    async def main() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for seconds in presses:
            loop.call_later(seconds, signal.raise_signal, signal.SIGINT)
        shown = display or Shown()
        run = JobsRun(a_client(fake), [job], shown, JobsEnd(), timeout)
        code = await run.run(lambda job: step(fake, job))
        return code, loop.time() - began

    code, seconds = run_virtual(main())
    return code, seconds, job


async def never_answered(client: FakeClient, _: Job) -> None:
    await client.wait()


async def a_download(_: FakeClient, job: Job) -> None:
    job.result = RESULT
    job.enter(DOWNLOADING)
    await asyncio.sleep(1_000)


def test_the_time_is_kept_however_seldom_something_is_shown() -> None:
    code, seconds, job = ended(never_answered, timeout=1.5)
    assert (code, job.end) == (4, End.RUNNING)
    assert seconds == pytest.approx(1.6)


def test_who_waits_hears_that_the_client_is_closed() -> None:
    code, seconds, job = ended(never_answered, presses=(3.0,))
    assert (code, job.task_id, job.end) == (130, "task_1", End.RUNNING)
    assert seconds == pytest.approx(3.1)


def test_a_download_does_not_hold_up_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    code, seconds, job = ended(a_download, presses=(3.0,))
    assert (code, job.end) == (130, End.NO_FILE)
    assert seconds == pytest.approx(3.0)
    assert "1 task is ready, and paid for. To go on: nanobanana download" in capsys.readouterr().err


def test_submits_under_way_are_waited_for_and_that_is_said() -> None:
    display = Shown(interval=0.5)
    client = FakeClient(submits_take=20.0)
    code, seconds, _ = ended(never_answered, presses=(3.0,), client=client, display=display)
    assert code == 130
    assert seconds == pytest.approx(23.1)
    ((_, text),) = display.said
    assert "(submits: 2)" in text
    assert len(display.shown) >= 40  # its clock goes on


def test_nothing_is_said_where_it_is_over_at_once() -> None:
    display = Shown()
    ended(never_answered, presses=(3.0,), client=FakeClient(submits_take=0.5), display=display)
    assert not display.said


def test_the_second_ctrl_c_does_not_wait() -> None:
    client = FakeClient(submits_take=20.0)
    code, seconds, _ = ended(never_answered, presses=(3.0, 4.0, 4.1), client=client)
    assert code == 130
    assert seconds == pytest.approx(4.1)


def test_ctrl_c_after_the_time_is_over_does_not_wait(capsys: pytest.CaptureFixture[str]) -> None:
    client = FakeClient(submits_take=20.0)
    code, seconds, _ = ended(never_answered, presses=(4.0,), timeout=2.0, client=client)
    assert code == 4
    assert seconds == pytest.approx(4.1)
    assert capsys.readouterr().err.startswith("The time is over.\n")


def test_a_display_that_breaks_does_not_hide_what_is_paid_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken(Shown):
        def show(self, snapshot: JobsView) -> None:
            if snapshot.jobs[0].task_id:
                raise ZeroDivisionError

    async def step(client: FakeClient, job: Job) -> None:
        job.task_id = "task_1"
        await client.wait()

    with pytest.raises(ZeroDivisionError):
        ended(step, display=Broken(interval=0.5))
    assert "To go on: nanobanana wait task_1" in capsys.readouterr().err


def test_a_job_that_does_not_heed_the_closed_client_is_left() -> None:
    async def hangs(_: FakeClient, job: Job) -> None:
        job.task_id = "task_1"
        await asyncio.sleep(1_000_000)

    code, seconds, job = ended(hangs, presses=(3.0,))
    assert (code, job.end) == (130, End.RUNNING)
    assert seconds == pytest.approx(8.0)


@pytest.mark.parametrize(("wanted", "said"), [(End.SUCCEEDED, 2), (End.RUNNING, 1)])
def test_what_becomes_of_a_task_is_news_for_who_waits(wanted: End, said: int) -> None:
    """Not for `submit`: it leaves them all. A submit that may be paid for is news for everybody."""
    display, logger = Shown(), logging.getLogger("nanobanana_async")

    async def step(_: Job) -> None:
        logger.warning("finished and nobody awaits it", extra={"task_id": "task_1"})
        logger.error("may have been accepted", extra={"task_id": "task_2"})

    async def main() -> None:
        fake, end = FakeClient(), JobsEnd(wanted=wanted)
        await JobsRun(a_client(fake), [Job(task_id="x")], display, end).run(step)

    run_virtual(main())
    assert len(display.said) == said


def test_a_defect_is_raised_when_what_is_paid_for_was_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def defect(_: FakeClient, job: Job) -> None:
        job.task_id, job.result = "task_1", RESULT
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ended(defect)
    assert "To go on: nanobanana download task_1" in capsys.readouterr().err


def test_a_result_is_said_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when the display next shows something, which one for `--quiet` does once a minute."""
    heard: list[tuple[float, str]] = []

    def put(text: str) -> bool:
        heard.append((asyncio.get_running_loop().time(), text))
        return True

    monkeypatch.setattr("nanobanana_async.cli.jobs._end.put", put)

    async def main() -> float:
        fake, quick, slow = FakeClient(), Job(task_id="quick"), Job(task_id="slow")

        async def step(job: Job) -> None:
            await asyncio.sleep(1.0 if job is quick else 30.0)

        began = asyncio.get_running_loop().time()
        end = JobsEnd(wanted=End.RUNNING)
        run = JobsRun(a_client(fake), [quick, slow], Shown(), end)
        assert await run.run(step) == 0
        return began

    began = run_virtual(main())
    assert [text for _, text in heard] == ["quick", "slow"]
    assert [time - began for time, _ in heard] == pytest.approx([1.0, 30.0])


def test_few_pictures_are_fetched_at_once() -> None:
    class Downloads:
        def task(self, task_id: str, model: str | None) -> Any:  # noqa: ARG002 - the client's
            return self

        async def status(self) -> Any:
            return SimpleNamespace(state="success", finished=True)

        async def result(self) -> ImageResult:
            return RESULT

        async def download_all(self, _: ImageResult, path: object) -> list[object]:
            await asyncio.sleep(1)
            return [path]

    async def main() -> float:
        following = Following(a_client(Downloads()), Place(Path("x")))
        jobs = [Job(task_id=f"task_{number}") for number in range(20)]
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*map(following.download, jobs))
        return asyncio.get_running_loop().time() - began

    assert run_virtual(main()) == pytest.approx(3.0)  # eight at once


async def test_an_error_tells_the_task_of_a_submit_that_was_answered_late() -> None:
    async def step(_: Job) -> None:
        raise ClientClosedError("The client was closed", task_id="task_1")

    job = Job(ImageRequest("a cat"))
    await take(step, job)
    assert (job.over, job.task_id, job.state, job.end) == (True, "task_1", SUBMITTING, End.RUNNING)
    assert isinstance(job.error, NanoBananaError)
    assert job.as_json()["error"] is None
