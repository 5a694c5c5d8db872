"""What a client's hooks lead to: spans, and clients to read the statistics of."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, cast

from opentelemetry.context import Context, get_current
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import SpanContext, TracerProvider, get_tracer

from nanobanana_async._models import Statistics
from nanobanana_async._observer import Facts, Observation
from nanobanana_async._version import __version__
from nanobanana_async.telemetry._metrics import readings_of
from nanobanana_async.telemetry._reading import Reading
from nanobanana_async.telemetry._spans import DownloadSpan, GenerationSpan

__all__ = ["Telemetry"]

_REMEMBERED: Final = 1_000


class Telemetry:
    """Makes OpenTelemetry's spans and metrics of what clients do: see docs/howto/telemetry.md.

    May serve several clients: their metrics are added up.

    Args:
        tracer_provider: where spans go; None for the program's own.
        meter_provider: where metrics go; likewise.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._tracer = get_tracer("nanobanana_async", __version__, tracer_provider)
        self._meter_provider = meter_provider
        # Of the generations that ended last, so that their downloads can be linked to them.
        self._ended: OrderedDict[str, SpanContext] = OrderedDict()

    def opened(self, statistics: Callable[[], Statistics]) -> Callable[[], None]:
        """Report the client's statistics from now on; called by the client."""
        readings = readings_of(self._meter_provider)
        reading = Reading(statistics, asyncio.get_running_loop())
        readings.add(reading)
        return lambda: readings.remove(reading)

    def caller(self) -> object:
        """Return the context of this moment; called by the client."""
        return get_current()

    def began(self, facts: Facts, caller: object) -> Observation:
        """Begin the span of a generation; called by the client."""
        return GenerationSpan(self._tracer, facts, cast("Context", caller), self._remember)

    def downloading(self, task_id: str) -> Observation:
        """Begin the span of a download; called by the client."""
        return DownloadSpan(self._tracer, task_id, self._ended.get(task_id))

    def _remember(self, task_id: str, span: SpanContext) -> None:
        self._ended[task_id] = span
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
