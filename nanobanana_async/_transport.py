"""Requests over HTTP. No module but this, `_guarded` and `_hops` works with aiohttp's client.

An answer is read as bytes and left to the codec. No exception of aiohttp gets out, not even as a
cause: some of them hold the request's headers, and those hold the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from ssl import SSLContext
from traceback import format_tb
from types import SimpleNamespace
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.typedefs import StrOrURL
from attrs import Attribute, define, field, frozen
from yarl import URL

from nanobanana_async._guarded import DownloadSessions, guarded_connector
from nanobanana_async._hosts import HostRules, is_loopback
from nanobanana_async._wire import LONGEST_BODY, Call, NoAnswerError, NotSentError, Reply

__all__ = ["Connections", "HttpTransport", "Secret", "api_root"]

_DNS_SECONDS: Final = 300
_SHORTEST_SECRET: Final = 8  # a shorter key would be found in words that mean something else


def api_root(base_url: str) -> URL:
    """Return the URL below which the API is; `base_url` with or without ``/api/v1``.

    Raises:
        ValueError: it is no http(s) URL.
    """
    if not isinstance(base_url, str):
        raise TypeError(f"base_url must be a text, not {type(base_url).__name__}")
    url = URL(base_url.strip().rstrip("/"))
    if url.scheme not in ("http", "https") or not url.host:
        # Not shown: it may be the key, given in the wrong place.
        raise ValueError("base_url (APIXO_BASE_URL) must be an http(s):// URL")
    if url.user or url.password:
        raise ValueError("base_url must hold no user name and no password")
    if url.query_string or url.fragment:
        raise ValueError(f"base_url must have no query and no fragment: {base_url!r}")
    return url if url.path.endswith("/api/v1") else url / "api" / "v1"


class Secret(str):
    """A text that no repr shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


def _checked_proxy(proxy: str | None) -> Secret | None:
    """Refuse what is no HTTP proxy, without showing it: it may hold a password."""
    if proxy is None:
        return None
    try:
        url = URL(proxy)
    except (TypeError, ValueError):
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("proxy must be an http:// URL, such as http://proxy.example:3128")
    return Secret(proxy)


def _tls(_: Any, __: Attribute[Any], value: Any) -> None:
    if not isinstance(value, SSLContext | bool | aiohttp.Fingerprint):
        raise TypeError(f"ssl must be an ssl.SSLContext, True or False, not {value!r}")


@frozen(eq=False, repr=False)
class Connections:
    """How hosts are reached, as the user said; what is in `given` is used, never changed."""

    given: aiohttp.ClientSession | None = None
    proxy: str | None = field(default=None, converter=_checked_proxy)
    ssl: SSLContext | bool = field(default=True, validator=_tls)

    def api_session(self, root: URL) -> aiohttp.ClientSession:
        """Open the session for the API, which is below `root`.

        A session of our own even where one was handed in, since two things that are needed are a
        session's state: tracing, and not sending a GET again by itself.
        """
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_connected)
        trace.on_connection_reuseconn.append(_connected)
        given = self.given
        session = self._session(
            trace_configs=[trace],
            headers=None if given is None else given.headers,
            cookie_jar=aiohttp.DummyCookieJar() if given is None else given.cookie_jar,
            # With trust_env, aiohttp reads the environment in a thread at every request, which
            # costs as much CPU as the request itself. There is one host: once is enough.
            trust_env=False,
            proxy=self.proxy or _proxy_of(given) or _environment_proxy(root, given),
        )
        # aiohttp sends a GET again by itself on a stale connection: a request without a token.
        session._retry_connection = False  # noqa: SLF001 - there is no public switch; tested
        return session

    def download_sessions(self, root: URL, rules: HostRules) -> DownloadSessions:
        """Open the sessions for pictures: no key, no cookie and no header of the user's."""
        options: dict[str, Any] = {
            "cookie_jar": aiohttp.DummyCookieJar(),
            # As it is: a picture gains nothing by packing, and its size is checked.
            "auto_decompress": False,
            "headers": {"Accept-Encoding": "identity"},
            # With it, aiohttp sends a host what ~/.netrc holds for it. Proxies are seen to below.
            "trust_env": False,
        }
        given = self.given
        proxy = self.proxy or _proxy_of(given)
        trusting = proxy is None and _trusts_environment(root, given)
        proxies: Mapping[str, StrOrURL] = getproxies() if trusting else {}
        connector = guarded_connector(given.connector if given else None, self.ssl, rules)
        return DownloadSessions(
            direct=self._session(connector=connector, **options),
            proxied=self._session(**options),
            proxies=proxies if proxy is None else {"http": proxy, "https": proxy},
            from_environment=trusting,
        )

    def _session(
        self, *, connector: aiohttp.BaseConnector | None = None, **options: Any
    ) -> aiohttp.ClientSession:
        """Open a session: with a connector of its own, the one that was handed in, or a new one."""
        given = self.given
        if given is not None and given.closed:
            raise ValueError("session is closed")
        owned = connector is not None or given is None
        if given is not None:
            connector = connector or given.connector
            options["proxy_auth"] = given._default_proxy_auth  # noqa: SLF001 - it has no public name
        elif connector is None:
            # No limit of the pool: a request that waited there and was never sent would raise the
            # same TimeoutError as one that was. The dispatcher caps what is under way.
            connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=_DNS_SECONDS, ssl=self.ssl)
        return aiohttp.ClientSession(
            connector=connector,
            connector_owner=owned,
            timeout=aiohttp.ClientTimeout(total=None),
            **options,
        )


def _proxy_of(session: aiohttp.ClientSession | None) -> StrOrURL | None:
    return session._default_proxy if session else None  # noqa: SLF001 - it has no public name


def _environment_proxy(root: URL, session: aiohttp.ClientSession | None) -> str | None:
    """Return the proxy that the environment names for the API's host."""
    if not _trusts_environment(root, session) or proxy_bypass(str(root.host)):
        return None
    return getproxies().get(root.scheme)


def _trusts_environment(root: URL, session: aiohttp.ClientSession | None) -> bool:
    # No proxy can reach an emulator on this machine, whatever the environment says.
    if is_loopback(str(root.host)):
        return False
    return session is None or session.trust_env


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """Read a body, but of an endless one no more than it takes to see that it is too long."""
    body = await content.read(LONGEST_BODY + 1)
    while not content.at_eof() and len(body) <= LONGEST_BODY:
        body += await content.read(LONGEST_BODY + 1)
    return body


async def _connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    context.trace_request_ctx.connected = True


def _text_of(error: Exception) -> str:
    """Say what broke. Other texts of aiohttp's quote what the server sent, or a proxy's URL."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status}"
        case aiohttp.InvalidURL():
            return "the proxy's address is no http:// URL"
        case aiohttp.ClientOSError() | OSError():
            return str(error)
        case _:
            return "the answer broke off, or was no HTTP"


@define(eq=False, repr=False)
class _Trace:
    connected: bool = False


@define(eq=False, repr=False)
class HttpTransport:
    """Sends calls below one URL, with the key in a header of each."""

    _session: aiohttp.ClientSession
    _root: URL
    _headers: Mapping[str, str] = field(repr=False)
    _key: bytes = field(init=False, repr=False)
    # Prebuilt: parsing a URL, and building a timeout, cost more than the rest of this module.
    _urls: dict[str, URL] = field(factory=dict, init=False)
    _timeouts: dict[float, aiohttp.ClientTimeout] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._key = self._headers["Authorization"].removeprefix("Bearer ").encode()

    async def send(self, call: Call, timeout: float) -> Reply:  # noqa: ASYNC109 - see `Transport`
        """Send one request and read its whole answer; see `Transport.send`."""
        if self._session.closed:
            raise NotSentError("the session that was handed in is closed")
        trace = _Trace()
        try:
            async with self._session.request(
                call.method,
                self._url(call),
                data=call.body,
                headers=self._headers,
                timeout=self._timeout(timeout),
                allow_redirects=False,
                trace_request_ctx=trace,
            ) as response:
                body = await _beginning(response.content)
                return Reply(response.status, response.headers, self._without_key(body))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure: Exception = self._failure(error, timeout, connected=trace.connected)
        except Exception as error:  # noqa: BLE001 - a crash, of which all is kept but the frames
            # aiohttp's frames hold the headers, and those the key.
            error.add_note("".join(format_tb(error.__traceback__)))
            failure = error.with_traceback(None)
            failure.__context__ = None
        raise failure

    async def aclose(self) -> None:
        await self._session.close()

    def _failure(
        self, error: Exception, timeout: float, *, connected: bool
    ) -> NotSentError | NoAnswerError:
        # The text only: see the top of the module.
        text = _text_of(error) or f"nothing from {self._root.authority} within {timeout:g} s"
        cause = f"{text} ({type(error).__name__})"
        return NoAnswerError(cause) if connected else NotSentError(cause)

    def _without_key(self, body: bytes) -> bytes:
        """A server that repeats the key in its message must not bring it into an error."""
        if len(self._key) < _SHORTEST_SECRET:
            return body
        return body.replace(self._key, b"<the API key>")

    def _url(self, call: Call) -> URL:
        url = self._urls.get(call.path)
        if url is None:
            url = self._urls[call.path] = self._root / call.path
        return url.with_query(call.query) if call.query else url

    def _timeout(self, seconds: float) -> aiohttp.ClientTimeout:
        timeout = self._timeouts.get(seconds)
        if timeout is None:
            timeout = self._timeouts[seconds] = aiohttp.ClientTimeout(total=seconds)
        return timeout
