"""Asks the API for the balance, as a client would, and keeps what a client does not: the date.

The client itself repeats a question whose answer tells nothing, for half a minute. Here each
question is one request, and three are the most.
"""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from nanobanana_async import __version__
from nanobanana_async.cli.doctor._deadline import Deadline
from nanobanana_async.cli.doctor._finding import reason
from nanobanana_async.cli.doctor._lookup import Address
from nanobanana_async.cli.doctor._settings import Route

BALANCE: Final = "apikeys/current-balance"
"""A client's path; a test holds it against that."""

_QUESTIONS: Final = 3
_LONGEST_BODY: Final = 1 << 16
_GOOD: Final = 200


class Reply(NamedTuple):
    """One answer."""

    status: int
    body: bytes
    date: str
    """The server's clock, as it stands in the head; empty where it does not."""
    moment: float
    """This machine's clock (Unix time), midway between question and answer."""
    seconds: float
    """From the question to the head of the answer; connecting is not in it."""


class Asked(NamedTuple):
    """What came of asking."""

    replies: Sequence[Reply]
    trouble: str = ""
    """Why there are no more."""


async def ask(
    route: Route, key: str | None, addresses: Sequence[Address], deadline: Deadline
) -> Asked:
    """Ask over one connection; without a key once, since its refusal holds a date as well."""
    replies: list[Reply] = []
    try:
        async with _session(route, key, addresses) as session:
            while len(replies) < _QUESTIONS and (not replies or _go_on(replies[-1], deadline)):
                replies.append(await _question(session, route, deadline))
    except aiohttp.ClientHttpProxyError as error:
        return Asked(replies, f"the proxy answers {error.status}")
    except TimeoutError:
        return Asked(replies, f"no answer within {deadline.seconds:g} s")
    except aiohttp.ClientConnectorError as error:
        return Asked(replies, reason(error.os_error))
    except (aiohttp.ClientError, OSError):
        # Their texts quote what the server sent, and some hold the request's headers.
        return Asked(replies, "the answer broke off, or was no HTTP")
    return Asked(replies)


def _go_on(last: Reply, deadline: Deadline) -> bool:
    return last.status == _GOOD and deadline.left > last.seconds * _QUESTIONS


class _Found(AbstractResolver):
    """Answers with the addresses that were found, and are known to answer."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=found.ip, port=port, family=found.family, proto=0, flags=0
            )
            for found in self._addresses
            if family in (0, found.family)
        ]

    async def close(self) -> None:
        pass


def _session(route: Route, key: str | None, addresses: Sequence[Address]) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_sent)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"nanobanana-async/{__version__} (doctor)",
    }
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=_Found(addresses)),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        proxy=route.proxy,
        timeout=aiohttp.ClientTimeout(total=None),
        trace_configs=[trace],
    )
    # aiohttp sends a GET again by itself on a stale connection: a fourth question.
    session._retry_connection = False  # noqa: SLF001 - there is no public switch
    return session


async def _sent(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    context.trace_request_ctx.sent = time.perf_counter()


async def _question(session: aiohttp.ClientSession, route: Route, deadline: Deadline) -> Reply:
    times = SimpleNamespace(sent=time.perf_counter())
    async with session.get(
        route.root / BALANCE,
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=deadline.left or 0.001),  # 0 would be none
        trace_request_ctx=times,
    ) as response:
        seconds = time.perf_counter() - times.sent
        moment = time.time() - seconds / 2
        body = await response.content.read(_LONGEST_BODY)
        date = response.headers.get("Date", "")
        return Reply(response.status, body, date, moment, seconds)
