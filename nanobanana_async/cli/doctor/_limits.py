"""Whether the API's limits can be reached from this machine."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from math import ceil, inf
from typing import Any, Final, NamedTuple

from nanobanana_async import Limits
from nanobanana_async.cli.doctor._finding import Finding, ok, span, warning

UNDER_WAY: Final = 512
"""Requests that a client has under way at most; a test holds it against the client's."""
_BESIDE: Final = 64
"""Files for pictures that are fetched, for a journal, and for the rest of a program."""
_USUAL: Final = 1024
_MARGIN: Final = 2
"""How many times the limit's rate a client should manage here: TLS and the rest cost as well."""
_MINUTE: Final = Limits().requests_per_minute
_RATE: Final = _MINUTE / 60


class OpenFiles(NamedTuple):
    """How many files a process may have open; inf where nobody counts."""

    soft: float
    hard: float
    now: int


class Means(NamedTuple):
    """What there is to reach the limits with; None for what is not known."""

    round_trip: float | None
    """Seconds from a request to its answer."""
    files: OpenFiles | None
    selector: str
    """What tells the event loop of its sockets: Epoll, Kqueue, Select, …."""
    pace: float | None
    """Requests a second that a client has managed on this machine alone."""

    @property
    def in_flight(self) -> int | None:
        """Requests in flight at the limit's rate, each over a connection of its own."""
        return None if self.round_trip is None else max(1, ceil(_RATE * self.round_trip))


def open_files() -> OpenFiles | None:
    """Read this process's limits; None where there are none of this kind, as on Windows."""
    try:
        import resource  # noqa: PLC0415 - not everywhere
    except ImportError:
        return None
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (inf if limit == resource.RLIM_INFINITY else float(limit) for limit in limits)
    now = 0
    with suppress(OSError):
        now = len(os.listdir("/dev/fd"))  # noqa: PTH208 - numbers, no paths
    return OpenFiles(soft, hard, now)


def selector_of(loop: asyncio.AbstractEventLoop) -> str:
    """Return the name of what tells the loop of its sockets."""
    selector = getattr(loop, "_selector", None)
    return type(selector or loop).__name__.removesuffix("Selector").removesuffix("EventLoop")


def reach(means: Means) -> Finding:
    """Compare what the limit's rate takes with what there is. Pure."""
    text = "; ".join(_texts(means))
    faults = [*_slow(means), *_few_files(means)]
    if faults:
        return warning("limits", text, ". ".join(faults), facts=_facts(means))
    return ok("limits", text, facts=_facts(means))


def _texts(means: Means) -> Iterator[str]:
    rate = f"{_MINUTE:,} requests a minute, {_RATE:.0f} a second"
    if means.round_trip is None or means.in_flight is None:
        yield rate
    else:
        connections = "1 connection" if means.in_flight == 1 else f"{means.in_flight:,} connections"
        yield f"{rate}, take {connections} at a round trip of {span(means.round_trip)}"
    if means.files is not None:
        allowed = "any number" if means.files.soft == inf else f"{means.files.soft:,.0f}"
        yield f"open files: {allowed} allowed, {means.files.now} in use"
    if means.pace is not None:
        yield f"this machine, with neither network nor TLS: about {means.pace:,.0f} a second"


def _slow(means: Means) -> Iterator[str]:
    if means.round_trip and (means.in_flight or 0) > UNDER_WAY:
        yield (
            f"A client has {UNDER_WAY} requests under way at most, here "
            f"{UNDER_WAY / means.round_trip:.0f} a second: run it nearer to the API, or several "
            "processes with shares of the limits"
        )
    if means.pace is not None and means.pace < _RATE * _MARGIN:
        yield "This machine is slow, or busy just now: give it less else to do"


def _few_files(means: Means) -> Iterator[str]:
    if means.selector == "Select":
        yield "This event loop watches few sockets: use asyncio's default one"
    if means.files is None:
        return
    room = means.files.soft - means.files.now - _BESIDE
    needed = UNDER_WAY + _BESIDE + means.files.now
    if room < UNDER_WAY:
        now = "So few open files do not allow these connections"
        later = f"While the API is slow, a client opens up to {UNDER_WAY} connections; so few files"
        what = now if room < (means.in_flight or 0) else f"{later} do not allow them"
        yield f"{what}. {_more_files(means.files, max(_USUAL, needed))}"


def _more_files(files: OpenFiles, number: int) -> str:
    if files.hard >= number:
        return f"Before you start: ulimit -n {number}"
    return f"Have the limit raised to {number:,} by whoever set it"


def _facts(means: Means) -> dict[str, Any]:
    soft = means.files.soft if means.files else inf
    return {
        "requests_per_second": round(_RATE, 1),
        "round_trip_seconds": None if means.round_trip is None else round(means.round_trip, 4),
        "connections": means.in_flight,
        "open_files": None if soft == inf else int(soft),
        "selector": means.selector,
        "client_requests_per_second": means.pace,
    }
