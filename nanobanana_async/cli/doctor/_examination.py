"""The doctor's checks in their order, each as independent of those before as can be."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, TypeVar

from nanobanana_async.cli.doctor._account import account, clock, round_trip
from nanobanana_async.cli.doctor._asking import Asked, ask
from nanobanana_async.cli.doctor._connection import check_connection
from nanobanana_async.cli.doctor._deadline import Deadline
from nanobanana_async.cli.doctor._finding import Finding, failed, skipped
from nanobanana_async.cli.doctor._limits import Means, open_files, reach, selector_of
from nanobanana_async.cli.doctor._lookup import Address, check_lookup
from nanobanana_async.cli.doctor._pace import client_pace
from nanobanana_async.cli.doctor._settings import Route, check_address, check_key, check_proxy
from nanobanana_async.cli.doctor._tls import check_tls

T = TypeVar("T")

_PACE_PATIENCE: Final = 2.0
_NETWORK: Final = ("lookup", "connection", "TLS", "clock", "account")


class Settings(NamedTuple):
    """What a client would be told here."""

    key: str | None
    """None where a client would not take it."""
    route: Route | None
    """None where there is none."""
    findings: list[Finding]


def read_settings(
    base_url: str | None, proxy: str | None, environment: Mapping[str, str]
) -> Settings:
    """Read options and environment.

    Raises:
        ValueError: an option makes no sense.
    """
    key, of_key = check_key(environment)
    root, of_address = check_address(base_url, environment)
    findings = [of_key, of_address]
    if root is None:
        return Settings(key, None, findings)
    url, of_proxy = check_proxy(root, proxy)
    findings.append(of_proxy)
    return Settings(key, None if of_proxy.state == "failed" else Route(root, url), findings)


class _Examination:
    def __init__(self, say: Callable[[Finding], None], *, debug: bool) -> None:
        self._say = say
        self._debug = debug

    async def step(self, name: str, work: Awaitable[tuple[T, Finding]], otherwise: T) -> T:
        """Make a check and say what it found; one that crashes does not take the others along."""
        try:
            result, finding = await work
        except Exception as error:
            if self._debug:
                raise
            text = f"this check crashed ({type(error).__name__})"
            advice = "A defect of nanobanana-async: report it, with what --debug shows"
            result, finding = otherwise, failed(name, text, advice)
        self._say(finding)
        return result

    async def ask_the_api(self, route: Route, key: str | None, deadline: Deadline) -> float | None:
        """Check everything on the way to the API; return a request's round trip."""
        nowhere: list[Address] = []
        found = await self.step("lookup", check_lookup(route, deadline), nowhere)
        if not found:
            self.skip("connection", "there is no address to connect to")
            return None
        there = await self.step("connection", check_connection(route, found, deadline), nowhere)
        if not there:
            self.skip("TLS", "there is no connection")
            return None
        if not await self.step("TLS", _tls(route, there[0], deadline), otherwise=False):
            self.skip("clock", "TLS has failed, so nothing is asked")
            return None
        asked = await self.step("clock", _clock(route, key, there, deadline), Asked(()))
        await self.step("account", _account(asked, key), None)
        return round_trip(asked)

    def skip(self, first: str, why: str) -> None:
        """Leave out a check of the network, and those after it."""
        for name in _NETWORK[_NETWORK.index(first) :]:
            self._say(skipped(name, why))


async def examine(
    settings: Settings, seconds: float, say: Callable[[Finding], None], *, debug: bool
) -> None:
    """Check all that is beyond the settings; the network has so many seconds in all."""
    examination = _Examination(say, debug=debug)
    trip, deadline = None, Deadline(seconds)
    if settings.route is not None:
        trip = await examination.ask_the_api(settings.route, settings.key, deadline)
    else:
        examination.skip("lookup", "there is nowhere to turn to")
    await examination.step("limits", _limits(trip, deadline), None)


async def _tls(route: Route, address: Address, deadline: Deadline) -> tuple[bool, Finding]:
    finding = await check_tls(route, address, deadline)
    return finding.state != "failed", finding


async def _clock(
    route: Route, key: str | None, there: list[Address], deadline: Deadline
) -> tuple[Asked, Finding]:
    asked = await ask(route, key, there, deadline)
    return asked, clock(asked)


async def _account(asked: Asked, key: str | None) -> tuple[None, Finding]:
    return None, account(asked, key)


async def _limits(round_trip: float | None, deadline: Deadline) -> tuple[None, Finding]:
    selector = selector_of(asyncio.get_running_loop())
    # A host that does not answer has taken all the time: nobody waits on for this.
    pace = await client_pace(min(deadline.left, _PACE_PATIENCE))
    return None, reach(Means(round_trip, open_files(), selector, pace))
