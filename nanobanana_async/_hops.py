"""From a picture's URL to the answer that holds it. Every hop is checked before it is asked.

No exception of aiohttp gets out, not even as a cause: some of their texts hold a proxy's password.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from attrs import define, frozen
from yarl import URL

from nanobanana_async._errors import ClientClosedError, DownloadError
from nanobanana_async._guarded import DownloadSessions
from nanobanana_async._hosts import HostRules, RefusedHostError

__all__ = ["Body", "Hops", "TryAgainError"]

_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_GONE: Final = frozenset({404, 410})
_PASSING: Final = frozenset({408, 429})
_OK: Final = 200
_SERVER_ERRORS: Final = 500
_CHUNK: Final = 1 << 18


class TryAgainError(Exception):
    """This try failed, another may not."""


@frozen(eq=False, repr=False)
class Body:
    """What a URL holds, while it is on its way."""

    length: int | None
    """Bytes, as announced."""
    _content: aiohttp.StreamReader

    def chunks(self) -> AsyncIterator[bytes]:
        return self._content.iter_chunked(_CHUNK)


@define(eq=False, repr=False)
class Hops:
    """Follows redirects by hand."""

    sessions: DownloadSessions
    _rules: HostRules
    _timeout: float

    @asynccontextmanager
    async def body(self, url: str) -> AsyncIterator[Body]:
        """Open what is at `url`, or where that leads to.

        Raises:
            DownloadError: it cannot be had, now or later.
            TryAgainError: it broke here, or while the body was read.
        """
        if self.sessions.closed:
            raise ClientClosedError("The client was closed during a download")
        try:
            async with await self._answer(url) as response:
                if response.status != _OK:
                    raise _refusal(url, response.status)
                yield Body(response.content_length, response.content)
        except RefusedHostError as error:
            raise DownloadError(f"Cannot fetch {url}: {error}", advice=error.advice) from None
        except aiohttp.InvalidURL:
            raise DownloadError(f"Not a URL to download from: {url!r}") from None
        except aiohttp.ClientHttpProxyError as error:  # its text is the proxy's whole URL
            raise TryAgainError(f"the proxy answered {error.status}") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TryAgainError(f"{error} ({type(error).__name__})") from None

    async def _answer(self, url: str) -> aiohttp.ClientResponse:
        here = self._checked(url, url)
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self.sessions.get(here, self._timeout)
            if response.status not in _REDIRECTS:
                return response
            response.release()
            there = self._checked(url, response.headers.get("Location", ""), here)
            if (here.scheme, there.scheme) == ("https", "http"):
                raise DownloadError(f"{url} leads from https to http, at {there.host}")
            here = there
        raise DownloadError(f"{url} leads on and on: more than {_MOST_REDIRECTS} redirects")

    def _checked(self, url: str, target: str, base: URL | None = None) -> URL:
        """Check where to go next. With a proxy this is all that can be checked of it.

        A name is resolved later, and checked then; by a proxy it is resolved there, unseen.
        """
        try:
            there = URL(target) if base is None else base.join(URL(target))
        except ValueError:
            there = URL()
        if base is None and not there.scheme:
            raise DownloadError(f"Not a URL to download from: {url!r}")
        if there.scheme not in ("http", "https") or not there.raw_host or not target:
            told = f"{url} leads to {target!r}" if base else repr(url)
            raise DownloadError(f"Not an http(s) URL to download from: {told}")
        self._rules.check(there.raw_host)
        return there


def _refusal(url: str, status: int) -> Exception:
    if status in _GONE:
        return DownloadError(f"{url} is gone", status=status, advice="Its time may be over")
    if status >= _SERVER_ERRORS or status in _PASSING:
        return TryAgainError(f"HTTP status {status}")
    return DownloadError(f"{url} cannot be had", status=status)
