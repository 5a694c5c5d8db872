"""Whether the host's addresses can be connected to."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from nanobanana_async.cli.doctor._deadline import Deadline
from nanobanana_async.cli.doctor._finding import Finding, failed, ok, plain, reason, span, warning
from nanobanana_async.cli.doctor._lookup import Address
from nanobanana_async.cli.doctor._settings import Route

_A_FAMILY: Final = 3
"""Addresses tried of IPv4, and of IPv6."""
_STRAGGLERS: Final = 1.0
"""Seconds that the others get once one has answered."""
_SILENT: Final = "no answer"


class Knock(NamedTuple):
    """What came of connecting to one address."""

    address: Address
    seconds: float
    trouble: str | None = None


async def check_connection(
    route: Route, addresses: Sequence[Address], deadline: Deadline
) -> tuple[list[Address], Finding]:
    """Connect to all addresses at once; return those that answer, the fastest first."""
    tried = list(_some(addresses))
    tasks = [asyncio.create_task(_knock(address)) for address in tried]
    try:
        await _first_good(tasks, deadline)
        _, silent = await asyncio.wait(tasks, timeout=min(_STRAGGLERS, deadline.left))
    finally:
        for task in tasks:
            task.cancel()
    knocks = [
        Knock(address, 0.0, _SILENT) if task in silent else task.result()
        for address, task in zip(tried, tasks, strict=True)
    ]
    await asyncio.gather(*tasks, return_exceptions=True)
    open_ones = sorted((knock for knock in knocks if not knock.trouble), key=lambda k: k.seconds)
    return [knock.address for knock in open_ones], judged(route, knocks, deadline.seconds)


def judged(route: Route, knocks: Sequence[Knock], patience: float) -> Finding:
    """Say which addresses answered, by IPv4 and IPv6."""
    families = [
        [knock for knock in knocks if knock.address.kind == kind] for kind in ("IPv4", "IPv6")
    ]
    text = ", ".join(_family(family) for family in families if family)
    facts = {
        "port": route.hop.port,
        "answered": [knock.address.ip for knock in knocks if not knock.trouble],
        "seconds": min((round(k.seconds, 4) for k in knocks if not k.trouble), default=None),
    }
    if all(knock.trouble for knock in knocks):
        where = f"{plain(route.hop.raw_host or '')}, port {route.hop.port}: {text}"
        return failed("connection", where, _advice(route, knocks, patience), facts=facts)
    if any(knock.trouble == _SILENT for knock in knocks):
        advice = "Each new connection may have to wait for the address that does not answer"
        return warning("connection", text, advice, facts=facts)
    return ok("connection", text, facts=facts)


def _advice(route: Route, knocks: Sequence[Knock], patience: float) -> str:
    if any(knock.trouble == _SILENT for knock in knocks):
        return (
            f"Nothing came within {patience:g} s: a firewall perhaps, or a proxy is needed "
            "(HTTPS_PROXY, --proxy)"
        )
    if route.proxy:
        return "That is the proxy. Is its address right, and does it run?"
    if route.at_home:
        return "Does the emulator run, and on this port? `nanobanana emulator` starts one"
    return "Is the address right? If a proxy is needed: HTTPS_PROXY, or --proxy"


def _some(addresses: Iterable[Address]) -> Iterable[Address]:
    seen: Counter[str] = Counter()
    for address in addresses:
        seen[address.kind] += 1
        if seen[address.kind] <= _A_FAMILY:
            yield address


def _family(knocks: Sequence[Knock]) -> str:
    kind = knocks[0].address.kind
    times = [knock.seconds for knock in knocks if not knock.trouble]
    troubles = [knock.trouble for knock in knocks if knock.trouble]
    if not times:
        return f"{kind}: {troubles[0]}"
    lost = f", but {len(troubles)} of {len(knocks)}: {troubles[0]}" if troubles else ""
    return f"{kind} connects in {span(min(times))}{lost}"


async def _first_good(tasks: Iterable["asyncio.Task[Knock]"], deadline: Deadline) -> None:
    waiting = set(tasks)
    while waiting and deadline.left:
        done, waiting = await asyncio.wait(
            waiting, timeout=deadline.left, return_when=asyncio.FIRST_COMPLETED
        )
        if any(task.result().trouble is None for task in done):
            return


async def _knock(address: Address) -> Knock:
    began = time.perf_counter()
    try:
        with socket.socket(address.family, socket.SOCK_STREAM) as knocking:
            knocking.setblocking(False)
            await asyncio.get_running_loop().sock_connect(knocking, address.sockaddr)
    except OSError as error:
        return Knock(address, 0.0, reason(error))
    return Knock(address, time.perf_counter() - began)
