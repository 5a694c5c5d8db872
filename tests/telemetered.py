"""OpenTelemetry's SDK in memory: what a client's telemetry has made."""

import asyncio
from collections.abc import Iterable
from typing import Any

from attrs import define, field
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from nanobanana_async.telemetry import Telemetry


@define
class Recorder:
    """Providers of a program that keep everything."""

    exporter: InMemorySpanExporter = field(factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(factory=InMemoryMetricReader)
    tracers: TracerProvider = field(init=False)
    meters: MeterProvider = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def telemetry(self) -> Telemetry:
        return Telemetry(tracer_provider=self.tracers, meter_provider=self.meters)

    def options(self, **others: Any) -> dict[str, Any]:
        """A client's, with telemetry."""
        return {"telemetry": self.telemetry(), **others}

    def spans(self) -> tuple[ReadableSpan, ...]:
        """Spans that have ended, in the order of their ends."""
        return self.exporter.get_finished_spans()

    def generations(self) -> list[ReadableSpan]:
        return [span for span in self.spans() if span.name.startswith("generate_content ")]

    def generation(self) -> ReadableSpan:
        (span,) = self.generations()
        return span

    def below(self, parent: ReadableSpan) -> list[ReadableSpan]:
        return [span for span in self.spans() if span.parent == parent.context]

    def stages(self, parent: ReadableSpan) -> list[str]:
        return [span.name for span in self.below(parent)]

    def metrics(self) -> dict[str, float]:
        """What is reported now, without the names' beginning."""
        data = self.reader.get_metrics_data()
        return {} if data is None else dict(_points(data.resource_metrics))


def _points(resources: Iterable[Any]) -> Iterable[tuple[str, float]]:
    for resource in resources:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                (point,) = metric.data.data_points
                assert isinstance(point, NumberDataPoint)
                yield metric.name.removeprefix("nanobanana.client."), point.value


def seconds(span: ReadableSpan) -> float:
    """How long it lasted."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def error_of(span: ReadableSpan) -> object:
    """The kind of error that it ended with; None where it is none."""
    kind = (span.attributes or {}).get("error.type")
    assert (span.status.status_code is StatusCode.ERROR) == (kind is not None)
    assert not span.status.description
    return kind


def now() -> float:
    return asyncio.get_running_loop().time()
