"""Spans: one for each generation, with its stages below it, whatever becomes of it."""

import asyncio
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from nanobanana_async import (
    DownloadError,
    Limits,
    NanoBananaClient,
    SubmitUnknownError,
    TaskTimeoutError,
    Webhooks,
    _attempts,
)
from nanobanana_async._wire import NoAnswerError, NotSentError
from nanobanana_async.emulator import Emulator, EmulatorCore, MemoryTransport, Settings, Stuck
from nanobanana_async.telemetry import Telemetry, _spans
from tests.emulated import EPOCH, Wire, emulated
from tests.memory_journal import MemoryJournal
from tests.telemetered import Recorder, error_of, now, seconds

ONE_SLOT = Limits(concurrent_tasks=1)
WHOLE_LIFE = ["queued", "submitted", "running", "detected"]

virtual_time = pytest.mark.virtual_time


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@virtual_time
async def test_a_generation_is_a_span_with_its_stages(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_spans, "unix_time", lambda: EPOCH + now())
    tracer = recorder.tracers.get_tracer("test")
    options = recorder.options(limits=ONE_SLOT)
    async with emulated(service=Stuck(6.0), round_trip=0.5, client=options) as (client, _):
        before = asyncio.create_task(client.generate("first"))
        await asyncio.sleep(1)
        began = now()
        with tracer.start_as_current_span("a request") as request:
            result = await client.generate("a cat", model="nano-banana")
        lasted = now() - began
        await before
        statistics = client.statistics()
    span = recorder.generations()[1]
    assert span.name == "generate_content nano-banana"
    assert span.kind is SpanKind.CLIENT
    assert span.parent == request.get_span_context()
    assert span.attributes is not None
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.output.type": "image",
        "gen_ai.provider.name": "apixo",
        "gen_ai.request.model": "nano-banana",
        "nanobanana.bulk": False,
        "nanobanana.task.id": result.task_id,
        "nanobanana.checks": span.attributes["nanobanana.checks"],
        "nanobanana.lag": span.attributes["nanobanana.lag"],
    }
    assert error_of(span) is None
    assert span.start_time == pytest.approx((EPOCH + began) * 1e9, abs=1e6)
    assert seconds(span) == pytest.approx(lasted, abs=0.01)

    stages = recorder.below(span)
    assert [stage.name for stage in stages] == WHOLE_LIFE
    assert stages[0].start_time == span.start_time
    assert stages[-1].end_time == span.end_time
    assert all(one.end_time == following.start_time for one, following in pairwise(stages))
    queued, submitted, running, detected = map(seconds, stages)
    assert queued == pytest.approx(5.5 + statistics.mean_lag, abs=0.6)
    assert submitted == pytest.approx(0.5, abs=0.01)
    assert running == pytest.approx(6.0, abs=0.01)
    assert detected == pytest.approx(float(str(span.attributes["nanobanana.lag"])), abs=0.01)


@virtual_time
async def test_the_span_of_a_submit_goes_on_to_the_end_of_its_task(recorder: Recorder) -> None:
    async with emulated(service=Stuck(6.0), client=recorder.options()) as (client, _):
        task = await client.submit("a cat")
        await asyncio.sleep(3)
        assert recorder.spans()[-1].name == "submitted"
        await task
        assert seconds(recorder.generation()) >= 6
    assert recorder.stages(recorder.generation()) == WHOLE_LIFE


@virtual_time
async def test_many_belong_to_the_span_in_which_they_were_called_for(recorder: Recorder) -> None:
    tracer = recorder.tracers.get_tracer("test")
    async with emulated(service=Stuck(3.0), client=recorder.options()) as (client, _):
        with tracer.start_as_current_span("a run") as run:
            outcomes = client.generate_many(["a cat", "a forbidden cat"])
        with tracer.start_as_current_span("another matter"):
            assert len([outcome async for outcome in outcomes]) == 2
    spans = recorder.generations()
    assert [span.parent for span in spans] == 2 * [run.get_span_context()]
    assert all(span.attributes and span.attributes["nanobanana.bulk"] for span in spans)
    assert sorted(map(str, map(error_of, spans))) == ["None", "nanobanana_async.TaskFailedError"]


@virtual_time
@pytest.mark.parametrize(("after", "stages"), [(1, ["queued"]), (7, WHOLE_LIFE[:3])])
async def test_a_cancelled_call_ends_its_span(
    recorder: Recorder, after: float, stages: list[str]
) -> None:
    options = recorder.options(limits=ONE_SLOT)
    async with emulated(service=Stuck(5.0), client=options) as (client, _):
        await client.submit("first")
        call = asyncio.create_task(client.generate("a cat"))
        await asyncio.sleep(after)
        call.cancel()
        await asyncio.wait([call])
        ended = [span for span in recorder.generations() if error_of(span)]
    (span,) = ended
    assert error_of(span) == "asyncio.exceptions.CancelledError"
    assert seconds(span) == pytest.approx(after, abs=0.01)
    assert recorder.stages(span) == stages


@virtual_time
async def test_one_of_several_who_wait_may_go(recorder: Recorder) -> None:
    async with emulated(service=Stuck(5.0), client=recorder.options()) as (client, _):
        task = await client.submit("a cat")
        waits = [asyncio.create_task(task.result()) for _ in range(2)]
        await asyncio.sleep(1)
        waits[0].cancel()
        await waits[1]
    assert error_of(recorder.generation()) is None


@virtual_time
async def test_a_time_out_ends_the_span_where_nothing_was_sent(recorder: Recorder) -> None:
    options = recorder.options(limits=ONE_SLOT)
    async with emulated(service=Stuck(5.0), client=options) as (client, _):
        with pytest.raises(TaskTimeoutError) as late:
            await client.generate("first", timeout=1)
        await asyncio.gather(client.generate("second", timeout=1), return_exceptions=True)
        (span,) = recorder.generations()
        assert error_of(span) == "nanobanana_async.QueueTimeoutError"
        assert late.value.task is not None
        await late.value.task
    assert error_of(recorder.generations()[1]) is None


@virtual_time
async def test_what_was_refused_for_now_is_queued_again(recorder: Recorder) -> None:
    troubles: list[Exception | None] = [NotSentError("no network"), None]
    async with emulated(service=Stuck(5.0), client=recorder.options()) as (client, wire):
        wire.answers = lambda _: troubles.pop(0) if troubles else None
        await client.generate("a cat")
    assert recorder.stages(recorder.generation()) == ["queued", "submitted", *WHOLE_LIFE]


@virtual_time
async def test_a_submit_whose_answer_is_lost_is_an_error(recorder: Recorder) -> None:
    async with emulated(service=Stuck(5.0), client=recorder.options()) as (client, wire):
        wire.answers = lambda _: NoAnswerError("cut off")
        with pytest.raises(SubmitUnknownError):
            await client.generate("a cat")
    assert error_of(recorder.generation()) == "nanobanana_async.SubmitUnknownError"
    assert recorder.stages(recorder.generation()) == ["queued", "submitted", "unknown"]


@virtual_time
async def test_while_a_delivery_may_come_it_is_unknown(recorder: Recorder) -> None:
    hooks = Webhooks(public_url="https://example.org/hooks", secret="s" * 16, unknown_patience=30)
    options = recorder.options(webhooks=hooks)
    async with emulated(client=options) as (client, wire):
        wire.answers = lambda _: NoAnswerError("cut off")
        await asyncio.gather(client.generate("a cat"), return_exceptions=True)
    *_, unknown = recorder.below(recorder.generation())
    assert unknown.name == "unknown"
    assert seconds(unknown) == pytest.approx(30, abs=0.01)


@virtual_time
async def test_closing_ends_all_spans(recorder: Recorder) -> None:
    options = recorder.options(limits=ONE_SLOT)
    async with emulated(service=Stuck(60.0), client=options) as (client, _):
        calls = [asyncio.create_task(client.generate("a cat")) for _ in range(2)]
        await asyncio.sleep(5)
    await asyncio.wait(calls)
    errors = [error_of(span) for span in recorder.generations()]
    assert errors == 2 * ["nanobanana_async.ClientClosedError"]


@virtual_time
async def test_what_is_resumed_is_watched_from_then_on(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_attempts, "unix_time", lambda: EPOCH + now())
    core = EmulatorCore(Settings(service=Stuck(10.0)), epoch=EPOCH)
    journal = MemoryJournal()
    async with NanoBananaClient(transport=Wire(MemoryTransport(core)), journal=journal) as client:
        await client.submit("a cat")
    await asyncio.sleep(4)
    tracer = recorder.tracers.get_tracer("test")
    options = recorder.options(transport=Wire(MemoryTransport(core)), journal=journal)
    async with NanoBananaClient(**options) as client:
        with tracer.start_as_current_span("after a restart") as restart:
            outcomes = [outcome async for outcome in client.resume()]
    span = recorder.generation()
    assert outcomes[0].result is not None
    assert span.parent == restart.get_span_context()
    assert recorder.stages(span)[0] == "running"
    assert 6 <= seconds(span) < 9


async def test_a_download_is_linked_to_its_generation(recorder: Recorder, tmp_path: Path) -> None:
    tracer = recorder.tracers.get_tracer("test")
    async with (
        Emulator(speed=100, service=Stuck(5.0)) as emulator,
        NanoBananaClient("sk-emulator", base_url=emulator.url, **recorder.options()) as client,
    ):
        result = await client.generate("a cat")
        with tracer.start_as_current_span("a request") as request:
            await client.download(result, tmp_path / "a.png")
        await client.download(result, tmp_path / "b.png")
        (tmp_path / "file").touch()
        with pytest.raises(DownloadError):
            await client.download(result, tmp_path / "file" / "c.png")
    generation = recorder.generation()
    one, other, failed = [span for span in recorder.spans() if span.name == "downloaded"]
    assert one.parent == request.get_span_context()
    assert [link.context for link in one.links] == [generation.context]
    assert other.parent == generation.context
    assert one.attributes == {"nanobanana.task.id": result.task_id}
    assert error_of(one) is None
    assert error_of(failed) == "nanobanana_async.DownloadError"


@virtual_time
async def test_no_span_tells_the_prompt(recorder: Recorder) -> None:
    async with emulated(service=Stuck(3.0), client=recorder.options()) as (client, _):
        calls = [client.generate(f"a{kind} whisper") for kind in ("", " forbidden")]
        await asyncio.gather(*calls, return_exceptions=True)
    told = "".join(span.to_json() for span in recorder.spans())
    assert len(recorder.generations()) == 2
    assert "whisper" not in told
    assert "https://" not in told


@virtual_time
async def test_without_an_sdk_nothing_is_recorded_and_all_works() -> None:
    async with emulated(service=Stuck(3.0), client={"telemetry": Telemetry()}) as (client, _):
        assert (await client.generate("a cat")).task_id


class Broken:
    """An observer all of whose hooks raise, if not at once then later."""

    def __init__(self, *, late: bool) -> None:
        self.late = late

    def opened(self, _: object) -> Any:
        raise ZeroDivisionError

    def caller(self) -> object:
        raise ZeroDivisionError

    def began(self, _: object, __: object) -> Any:
        if self.late:
            return self
        raise ZeroDivisionError

    def downloading(self, _: str) -> Any:
        raise ZeroDivisionError

    def moved(self, _: object) -> None:
        raise ZeroDivisionError

    def ended(self, _: object) -> None:
        raise ZeroDivisionError


@virtual_time
@pytest.mark.parametrize("late", [True, False])
async def test_a_hook_that_raises_disturbs_nobody_and_is_logged_once(
    late: bool, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"telemetry": Broken(late=late)}
    async with emulated(service=Stuck(3.0), client=options) as (client, _):
        await asyncio.gather(*(client.generate("a cat") for _ in range(3)))
        assert len([outcome async for outcome in client.generate_many(["a cat"])]) == 1
    failures = [record for record in caplog.records if record.exc_info]
    assert [record.message for record in failures] == [
        "The telemetry failed; later failures of it are not logged"
    ]


@pytest.mark.parametrize("wrong", [Telemetry, "otel", True])
def test_what_is_no_telemetry_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"telemetry must be Telemetry\(\)"):
        NanoBananaClient("sk-1", telemetry=wrong)


def test_without_the_package_it_says_what_to_install() -> None:
    code = """if True:
        import sys
        sys.modules["opentelemetry"] = None
        import nanobanana_async
        try:
            import nanobanana_async.telemetry
        except ModuleNotFoundError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert done.stdout == (
        "nanobanana_async.telemetry needs opentelemetry-api. "
        "Install it with: pip install 'nanobanana-async[telemetry]'\n"
    )
