"""Which addresses the host's name has."""

import asyncio
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread
from typing import Any, Final, NamedTuple

from nanobanana_async.cli.doctor._deadline import Deadline
from nanobanana_async.cli.doctor._finding import Finding, failed, ok, plain, reason, span, warning
from nanobanana_async.cli.doctor._settings import VENDOR, Route

_SHOWN: Final = 4
_WORDS: Final = {
    socket.EAI_NONAME: "nobody knows this name",
    socket.EAI_AGAIN: "the name server does not answer",
}


class Address(NamedTuple):
    """One that a host's name has."""

    family: socket.AddressFamily
    ip: str
    sockaddr: tuple[Any, ...]

    @property
    def kind(self) -> str:
        return "IPv6" if self.family == socket.AF_INET6 else "IPv4"


async def check_lookup(route: Route, deadline: Deadline) -> tuple[list[Address], Finding]:
    """Return the addresses to connect to, none where there are none, and how it went."""
    host, port = route.hop.host or "", route.hop.port or 0
    began = time.perf_counter()
    try:
        addresses = await deadline.keep(_resolved(host, port))
    except TimeoutError:
        return [], _unknown(host, f"no answer within {deadline.seconds:g} s", route)
    except socket.gaierror as error:
        text = _WORDS.get(error.errno or 0) or plain(error.strerror or "unknown reason")
        return [], _unknown(host, text, route)
    except (OSError, UnicodeError) as error:
        text = reason(error) if isinstance(error, OSError) else "no host can have such a name"
        return [], _unknown(host, text, route)
    return addresses, judged(route, addresses, time.perf_counter() - began)


def judged(route: Route, addresses: list[Address], seconds: float) -> Finding:
    """Say what a host's addresses are; none of the vendor's is in a network of one's own."""
    host = plain(route.hop.raw_host or "")
    ips = [address.ip for address in addresses]
    facts = {"host": host, "addresses": ips, "seconds": round(seconds, 4)}
    if ips == [host]:
        return ok("lookup", f"{host} is an address", facts=facts)
    text = f"{host} is {_listed(ips)} ({span(seconds)})"
    vendors = route.proxy is None and VENDOR.endswith(f"//{host}")
    if vendors and not all(ip_address(ip.partition("%")[0]).is_global for ip in ips):
        advice = "That is no public address: a filter, a VPN or a line in /etc/hosts leads there"
        return warning("lookup", text, advice, facts=facts)
    return ok("lookup", text, facts=facts)


def _unknown(host: str, text: str, route: Route) -> Finding:
    shown = plain(host)
    if route.proxy:
        advice = "That is the proxy. Is its name right, and this machine on the network?"
    elif VENDOR.endswith(f"//{host}"):
        advice = "Is this machine on the network, and may it ask a name server?"
    else:
        advice = "Is the name right, and this machine on the network?"
    return failed("lookup", f"{shown}: {text}", advice, facts={"host": shown})


def _listed(ips: Iterable[str]) -> str:
    *ips, last = ips
    if len(ips) >= _SHOWN:
        return f"{', '.join(ips[:_SHOWN])} and {len(ips) + 1 - _SHOWN} more"
    return f"{', '.join(ips)} and {last}" if ips else last


def _resolved(host: str, port: int) -> "asyncio.Future[list[Address]]":
    """Resolve in a thread that nobody waits for in the end: it cannot be stopped."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[Address]] = loop.create_future()

    def settle(result: list[Address] | Exception) -> None:
        if future.done():
            return
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    def work() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            result: list[Address] | Exception = [
                Address(family, str(sockaddr[0]), sockaddr) for family, *_, sockaddr in found
            ]
        except Exception as error:  # noqa: BLE001 - goes to whoever waits
            result = error
        with suppress(RuntimeError):  # the loop is closed: it took too long
            loop.call_soon_threadsafe(settle, result)

    Thread(target=work, name="doctor-lookup", daemon=True).start()
    return future
