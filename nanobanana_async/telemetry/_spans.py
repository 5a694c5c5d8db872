"""Spans of one generation, and of one download.

Spans want wall-clock times and everything here happens in the loop's time. So the difference
between the two is taken once, when a span begins: a clock that is set meanwhile does not make a
stage last for hours, or less than nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from nanobanana_async._attempts import unix_time
from nanobanana_async._lifecycle import State
from nanobanana_async._observer import Facts

__all__ = ["DownloadSpan", "GenerationSpan"]

_OPERATION: Final = "generate_content"
"""As OpenTelemetry's conventions for generative AI name it."""
_STAGES: Final = {
    State.QUEUED: "queued",
    State.SENDING: "submitted",
    State.RUNNING: "running",
    State.UNKNOWN: "unknown",
}


class GenerationSpan:
    """The span of a generation, with a child for each stage that is over."""

    def __init__(
        self,
        tracer: Tracer,
        facts: Facts,
        caller: Context,
        remember: Callable[[str, SpanContext], None],
    ) -> None:
        self._tracer = tracer
        self._facts = facts
        self._remember = remember
        self._stage, self._since = _STAGES[facts.state], _now()
        self._offset = unix_time() - self._since
        self._span = tracer.start_span(
            f"{_OPERATION} {facts.model}",
            caller,
            SpanKind.CLIENT,
            {
                "gen_ai.operation.name": _OPERATION,
                "gen_ai.output.type": "image",
                "gen_ai.provider.name": "apixo",
                "gen_ai.request.model": facts.model,
                "nanobanana.bulk": facts.bulk,
            },
            start_time=self._unix_ns(self._since),
        )
        self._below = set_span_in_context(self._span, caller)

    def moved(self, state: State) -> None:
        """It is in another state now; an end is told by `ended`."""
        if state in _STAGES:
            self._end_stage(_now(), _STAGES[state])

    def ended(self, error: BaseException | None) -> None:
        """End the span, with all that is known by now."""
        now, lag = _now(), self._facts.lag
        if self._stage == "running" and lag is not None:
            self._end_stage(max(now - lag, self._since), "detected")
        self._end_stage(now, "")
        self._span.set_attributes(self._outcome(lag))
        _set_error(self._span, error)
        self._span.end(self._unix_ns(now))
        if self._facts.task_id is not None:
            self._remember(self._facts.task_id, self._span.get_span_context())

    def _end_stage(self, now: float, following: str) -> None:
        if self._span.is_recording():
            started = self._unix_ns(self._since)
            child = self._tracer.start_span(self._stage, self._below, start_time=started)
            child.end(self._unix_ns(now))
        self._stage, self._since = following, now

    def _outcome(self, lag: float | None) -> dict[str, AttributeValue]:
        known: dict[str, AttributeValue | None] = {
            "nanobanana.task.id": self._facts.task_id,
            "nanobanana.checks": self._facts.checks,
            "nanobanana.lag": lag,
        }
        return {name: value for name, value in known.items() if value is not None}

    def _unix_ns(self, moment: float) -> int:
        return int((moment + self._offset) * 1e9)


class DownloadSpan:
    """The span of a download."""

    def __init__(self, tracer: Tracer, task_id: str, generation: SpanContext | None) -> None:
        links: Sequence[Link] = ()
        parent: Context | None = None
        if generation is not None and get_current_span().get_span_context().is_valid:
            links = [Link(generation)]
        elif generation is not None:
            parent = set_span_in_context(NonRecordingSpan(generation))
        self._span = tracer.start_span(
            "downloaded", parent, SpanKind.CLIENT, {"nanobanana.task.id": task_id}, links
        )

    def moved(self, state: State) -> None:
        """A download has no states."""

    def ended(self, error: BaseException | None) -> None:
        """End the span."""
        _set_error(self._span, error)
        self._span.end()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _set_error(span: Span, error: BaseException | None) -> None:
    """Name the kind of error alone: what it says may hold the prompt."""
    if error is not None:
        kind = type(error)
        name = kind.__qualname__
        if kind.__module__ != "builtins":
            name = f"{kind.__module__}.{name}"
        span.set_attribute("error.type", name)
        span.set_status(StatusCode.ERROR)
