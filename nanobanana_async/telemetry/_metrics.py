"""One observable instrument for each figure of the statistics.

A meter takes a name once, and whoever comes second with it is not heard. So what is registered
belongs to the provider: its instruments read whatever clients are open at the moment, and report
nothing while none is. Several clients are added up; counts include those of closed ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from threading import Lock
from typing import Final, Literal, TypeAlias
from weakref import WeakKeyDictionary

from attrs import define, field
from opentelemetry.metrics import (
    CallbackOptions,
    Meter,
    MeterProvider,
    Observation,
    get_meter,
)

from nanobanana_async._version import __version__
from nanobanana_async.telemetry._reading import Reading

__all__ = ["INSTRUMENTS", "Readings", "readings_of"]

Kind: TypeAlias = Literal["count", "level", "rate", "mean"]
"""How it is reported, and what several clients come to: means are weighted by ended tasks."""

INSTRUMENTS: Final[dict[str, tuple[Kind, str, str]]] = {
    "queued": ("level", "{call}", "Calls whose submit has not been sent"),
    "queued_bulk": ("level", "{call}", "Bulk calls among them"),
    "submitting": ("level", "{request}", "Submits under way"),
    "in_flight": ("level", "{task}", "Accepted tasks not seen finished yet"),
    "slots_left": ("level", "{task}", "Tasks that could be submitted right now"),
    "slots_unknown": ("level", "{task}", "Slots held by submits whose answer was lost"),
    "slots_in_force": ("level", "{task}", "Slots that the API grants at the moment"),
    "tokens_left": ("level", "{request}", "Requests that the last 60 seconds leave room for"),
    "rate_in_force": ("level", "{request}/min", "Requests a minute that are kept to"),
    "submits": ("count", "{request}", "Submits sent"),
    "checks": ("count", "{request}", "Status checks sent"),
    "other_requests": ("count", "{request}", "Requests sent that are neither"),
    "refusals": ("count", "{response}", "Answers 429"),
    "accepted": ("count", "{task}", "Submits that the API accepted"),
    "succeeded": ("count", "{task}", "Tasks that ended in pictures"),
    "failed": ("count", "{task}", "Tasks that ended in an error"),
    "unknown": ("count", "{request}", "Submits whose answer was lost, and that no delivery found"),
    "found": ("count", "{request}", "Submits without an answer that a delivery told of"),
    "paid_twice": ("count", "{request}", "Requests for which the API ran two tasks"),
    "deliveries": ("count", "{delivery}", "Deliveries of webhooks that were taken"),
    "deliveries_refused": ("count", "{delivery}", "Deliveries of webhooks that were refused"),
    "checks_per_task": ("mean", "{request}", "Status checks a finished task"),
    "mean_lag": ("mean", "s", "Time from a task's end to the look that saw it"),
    "mean_service_time": ("mean", "s", "Time from a task's acceptance to its end, of late"),
    "completions_per_second": ("rate", "{task}/s", "Tasks seen finished, over the last minute"),
}
"""By field of `Statistics`: kind, unit in UCUM, description."""


@define(eq=False)
class Readings:
    """The open clients of one provider. Clients come and go in their loops' threads."""

    _open: list[Reading] = field(factory=list, init=False)
    _closed: dict[str, int] = field(factory=dict, init=False)
    """What closed clients had counted."""
    _reported: dict[str, int] = field(factory=dict, init=False)
    """The greatest count that was reported."""
    _lock: Lock = field(factory=Lock, init=False)

    def register(self, meter: Meter) -> None:
        """Create the instruments."""
        create = {
            "count": meter.create_observable_counter,
            "level": meter.create_observable_up_down_counter,
            "rate": meter.create_observable_gauge,
            "mean": meter.create_observable_gauge,
        }
        for name, (kind, unit, description) in INSTRUMENTS.items():
            callback = partial(self._observe, name, kind)
            create[kind](f"nanobanana.client.{name}", [callback], unit, description)

    def add(self, reading: Reading) -> None:
        """A client is open."""
        with self._lock:
            self._open.append(reading)

    def remove(self, reading: Reading) -> None:
        """It is closed: keep what it counted. Called in its event loop."""
        last = reading.read()
        with self._lock:
            self._open.remove(reading)
            for name, (kind, _, _) in INSTRUMENTS.items():
                if kind == "count":
                    self._closed[name] = self._closed.get(name, 0) + getattr(last, name)

    def _observe(self, name: str, kind: Kind, _: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            clients, before = list(self._open), self._closed.get(name, 0)
        if not clients:
            return []
        figures = [client.read() for client in clients]
        values = [getattr(one, name) for one in figures]
        if kind == "mean":
            return [Observation(_mean(values, [one.succeeded + one.failed for one in figures]))]
        if kind == "count":
            # A request that could not be sent is taken back: a count that fell would be a restart.
            highest = max(before + sum(values), self._reported.get(name, 0))
            self._reported[name] = highest
            return [Observation(highest)]
        return [Observation(sum(values))]


def _mean(values: list[float], weights: list[int]) -> float:
    total = sum(weights)
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / (total or 1)


class _Program:
    """Stands for the program's own provider, which may be set later."""


_PROGRAM: Final = _Program()
_by_provider: WeakKeyDictionary[object, Readings] = WeakKeyDictionary()


def readings_of(provider: MeterProvider | None) -> Readings:
    """Return the one set of instruments of a provider; None is the program's own."""
    key = _PROGRAM if provider is None else provider
    readings = _by_provider.get(key)
    if readings is None:
        readings = _by_provider[key] = Readings()
        readings.register(get_meter("nanobanana_async", __version__, provider))
    return readings
