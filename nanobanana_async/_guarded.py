"""Sessions for pictures, which connect to nothing that the rules refuse.

The addresses of a name are checked where aiohttp connects, in its resolver: so those that are
checked are those that are connected to. A look-up beforehand could be answered otherwise.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from ssl import SSLContext
from typing import Any
from urllib.request import proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.typedefs import StrOrURL
from attrs import define, field
from yarl import URL

from nanobanana_async._hosts import HostRules, RefusedHostError

__all__ = ["CheckedResolver", "DownloadSessions", "guarded_connector"]

_DNS_SECONDS = 300


class CheckedResolver(AbstractResolver):
    """Leaves out the addresses that the rules refuse."""

    def __init__(self, resolver: AbstractResolver, rules: HostRules) -> None:
        self._resolver = resolver
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host` that are allowed.

        Raises:
            RefusedHostError: there are only others. aiohttp lets it through as it is.
        """
        found = await self._resolver.resolve(host, port, family)
        allowed, refusal = [], None
        for result in found:
            try:
                self._rules.check(host, result["host"])
                allowed.append(result)
            except RefusedHostError as error:
                refusal = error
        if refusal is not None and not allowed:
            raise refusal
        return allowed

    async def close(self) -> None:
        """Leave the resolver open: it is a session's that was handed in, or holds nothing."""


def guarded_connector(
    given: aiohttp.BaseConnector | None, ssl: SSLContext | bool, rules: HostRules
) -> aiohttp.BaseConnector | None:
    """Return a connector for pictures, or None where `given` itself has to be used.

    A connector that was handed in cannot be changed, since the user and the API connect by it too:
    pictures get one of their own with the same TLS, resolver and addresses of this machine. One of
    another class (a SOCKS proxy's, a Unix socket's) does not connect where a URL says. As with any
    proxy there is no address to check here, and to go around it would be worse.
    """
    if given is None:
        resolver: AbstractResolver = aiohttp.ThreadedResolver()
        options: dict[str, Any] = {"ssl": ssl}
    elif type(given) is aiohttp.TCPConnector:
        resolver, options = given._resolver, _options_of(given)  # noqa: SLF001 - as in `_options_of`
    else:
        return None
    # No limit of the pool, as for the API: who downloads decides how many there are at once.
    return aiohttp.TCPConnector(
        resolver=CheckedResolver(resolver, rules), limit=0, ttl_dns_cache=_DNS_SECONDS, **options
    )


def _options_of(given: aiohttp.TCPConnector) -> dict[str, Any]:
    """Read what a connector was made with; there are no public names."""
    local = given._local_addr_infos  # noqa: SLF001
    return {
        "ssl": given._ssl,  # noqa: SLF001
        "family": given._family,  # noqa: SLF001
        "local_addr": local[0][4][:2] if local else None,
        "socket_factory": given._socket_factory,  # noqa: SLF001
        "happy_eyeballs_delay": given._happy_eyeballs_delay,  # noqa: SLF001
        "interleave": given._interleave,  # noqa: SLF001
    }


@define(eq=False, repr=False)
class DownloadSessions:
    """A session that connects to the hosts of pictures, and one that asks a proxy to."""

    _direct: aiohttp.ClientSession
    _proxied: aiohttp.ClientSession
    _proxies: Mapping[str, StrOrURL] = field(repr=False)
    """By a URL's scheme; they may hold passwords."""
    _from_environment: bool
    """Then it also says which hosts are asked without them."""

    @property
    def closed(self) -> bool:
        return self._direct.closed

    async def get(self, url: URL, timeout: float) -> aiohttp.ClientResponse:  # noqa: ASYNC109 - of aiohttp
        """Ask one host, and follow nothing."""
        proxy = self._proxies.get(url.scheme)
        # In a thread, since on some systems it asks the name server.
        if (
            proxy
            and self._from_environment
            and await asyncio.to_thread(proxy_bypass, str(url.host))
        ):
            proxy = None
        session = self._proxied if proxy else self._direct
        return await session.get(
            url,
            proxy=proxy,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(sock_connect=timeout, sock_read=timeout),
        )

    async def aclose(self) -> None:
        await self._direct.close()
        await self._proxied.close()
