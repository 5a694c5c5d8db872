"""Redirects, by hand: each hop is checked before it is asked."""

from collections.abc import Mapping
from typing import Any, Self, cast

import aiohttp
import pytest
from attrs import define, field
from yarl import URL

from nanobanana_async import ClientClosedError, DownloadError
from nanobanana_async._guarded import DownloadSessions
from nanobanana_async._hops import Hops, TryAgainError
from nanobanana_async._hosts import HostRules

START = "https://pictures.example/a/1.png"


@define
class Response:
    status: int
    headers: Mapping[str, str]
    released: bool = False
    content_length: int | None = None
    content: Any = None

    def release(self) -> None:
        self.released = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()


@define
class Web:
    """Hosts that answer by a table: a status, a URL to go to, or an error to raise."""

    answers: Mapping[str, Any]
    asked: list[str] = field(factory=list)
    given: list[Response] = field(factory=list)
    closed: bool = False

    async def get(self, url: URL, _: float) -> Response:
        self.asked.append(str(url))
        answer = self.answers[str(url)]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            answer = answer, {}
        if isinstance(answer, str):
            answer = 302, {"Location": answer}
        self.given.append(Response(*answer))
        return self.given[-1]


async def reached(web: Web, url: str = START, rules: HostRules = HostRules()) -> None:  # noqa: B008 - frozen
    try:
        async with Hops(cast("DownloadSessions", web), rules, 5).body(url):
            pass
    finally:
        assert all(response.released for response in web.given)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "there"),
    [
        ("2.png", "https://pictures.example/a/2.png"),
        ("/2.png?sign=x%2By", "https://pictures.example/2.png?sign=x%2By"),
        ("//cdn.example/2.png", "https://cdn.example/2.png"),
        ("https://cdn.example/2.png", "https://cdn.example/2.png"),
    ],
)
async def test_a_redirect_is_followed(status: int, location: str, there: str) -> None:
    web = Web({START: (status, {"Location": location}), there: 200})
    await reached(web)
    assert web.asked == [START, there]


async def test_from_http_to_https() -> None:
    start = START.replace("https", "http")
    await reached(Web({start: START, START: 200}), start)


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("http://pictures.example/1.png", "leads from https to http, at pictures.example"),
        ("ftp://pictures.example/1.png", "Not an http"),
        ("file:///etc/passwd", "leads to 'file:///etc/passwd'"),
        ("data:image/png;base64,AAAA", "Not an http"),
        ("https://[::1", "Not an http"),
        ("", "leads to ''"),
        ("https://10.0.0.1/", r"10\.0\.0\.1 is private.*private_hosts=True"),
        ("https://127.0.0.1/", r"127\.0\.0\.1 is loopback.*base_url"),
        ("https://[::ffff:7f00:1]/", "is loopback"),
        ("https://2130706433/", "is loopback"),
        ("https://localhost/", "is loopback"),
        ("http://169.254.169.254/latest/", "is link-local"),
    ],
)
async def test_a_redirect_that_is_not_followed(location: str, told: str) -> None:
    web = Web({START: (302, {"Location": location})})
    with pytest.raises(DownloadError, match=told) as caught:
        await reached(web)
    assert web.asked == [START]
    assert START in str(caught.value)


async def test_a_redirect_to_nowhere() -> None:
    with pytest.raises(DownloadError, match="leads to ''"):
        await reached(Web({START: (302, {})}))


@pytest.mark.parametrize("number", [5, 6])
async def test_at_most_five(number: int) -> None:
    urls = [f"https://pictures.example/{n}" for n in range(number)]
    web = Web(dict(zip([START, *urls], [*urls, 200], strict=True)))
    if number == 5:
        await reached(web)
    else:
        with pytest.raises(DownloadError, match="more than 5 redirects"):
            await reached(web)
    assert len(web.asked) == 6


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "Not a URL"),
        ("not a URL", "Not a URL"),
        ("https://[::1", "Not a URL"),
        ("/a/1.png", "Not a URL"),
        ("https:///1.png", "Not an http"),
        ("ftp://pictures.example/1.png", "Not an http"),
        ("http://192.168.0.1/1.png", "is private"),
        ("http://0.0.0.0/1.png", "is unspecified"),
    ],
)
async def test_the_first_url_is_checked_too(url: str, told: str) -> None:
    web = Web({})
    with pytest.raises(DownloadError, match=told):
        await reached(web, url)
    assert web.asked == []


async def test_what_is_allowed() -> None:
    url = "http://10.0.0.1/1.png"
    await reached(Web({url: 200}), url, HostRules(private=True))


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (404, DownloadError, "is gone"),
        (410, DownloadError, "is gone"),
        (403, DownloadError, "cannot be had"),
        (206, DownloadError, "cannot be had"),
        (304, DownloadError, "cannot be had"),
        (408, TryAgainError, "408"),
        (429, TryAgainError, "429"),
        (503, TryAgainError, "503"),
        (TimeoutError("late"), TryAgainError, "late"),
        (aiohttp.ServerDisconnectedError(), TryAgainError, "disconnected"),
        (aiohttp.InvalidURL("http://x"), DownloadError, "Not a URL"),
    ],
)
async def test_how_it_ends(answer: Any, error: type[Exception], told: str) -> None:
    second = "https://cdn.example/2.png"
    for web in (Web({START: answer}), Web({START: second, second: answer})):
        with pytest.raises(error, match=told) as caught:
            await reached(web)
        assert caught.value.__cause__ is None


async def test_a_client_that_was_closed() -> None:
    with pytest.raises(ClientClosedError):
        await reached(Web({}, closed=True))
