"""Where the sessions for pictures connect to, over real sockets, with name servers that lie."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from nanobanana_async._guarded import DownloadSessions
from nanobanana_async._hosts import HostRules, RefusedHostError
from nanobanana_async._transport import Connections, api_root

HERE = HostRules(loopback=True)
ROOT = api_root("http://api.example")


class Names(AbstractResolver):
    """Answers one look-up after another; the last answer stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
            for each in found
        ]

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[bytes]]]:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        yield server.sockets[0].getsockname()[1], heads


@asynccontextmanager
async def sessions(connections: Connections, rules: HostRules) -> AsyncIterator[DownloadSessions]:
    opened = connections.download_sessions(ROOT, rules)
    try:
        yield opened
    finally:
        await opened.aclose()


@asynccontextmanager
async def resolving(
    names: Names, rules: HostRules, **options: Any
) -> AsyncIterator[DownloadSessions]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=names, **options)) as given,
        sessions(Connections(given), rules) as opened,
    ):
        yield opened
    assert not names.closed  # it is theirs


async def asked(opened: DownloadSessions, url: str) -> int:
    async with await opened.get(URL(url), 5) as response:
        return response.status


async def test_a_name_of_a_refused_address_is_not_connected_to() -> None:
    names = Names(["127.0.0.1"])
    async with listening() as (port, heads), resolving(names, HostRules()) as opened:
        for _ in range(2):
            with pytest.raises(
                RefusedHostError, match=r"rebound\.example \(127\.0\.0\.1\) is loop"
            ):
                await asked(opened, f"http://rebound.example:{port}/1.png")
    assert heads == []


async def test_an_allowed_address_beside_a_refused_one_is_the_only_one_asked() -> None:
    names = Names(["10.0.0.1", "127.0.0.1", "::ffff:192.168.0.1"])
    async with listening() as (port, heads), resolving(names, HERE) as opened:
        assert await asked(opened, f"http://both.example:{port}/1.png") == 204
        direct = opened._direct.connector
        assert isinstance(direct, aiohttp.TCPConnector)
        found = await direct._resolve_host("both.example", port)
    assert [each["host"] for each in found] == ["127.0.0.1"]
    assert len(heads) == 1


async def test_a_second_answer_of_a_name_server_is_checked_as_well() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with listening() as (port, heads), resolving(names, HERE, ttl_dns_cache=0) as opened:
        assert await asked(opened, f"http://rebound.example:{port}/1.png") == 204
        direct = opened._direct.connector
        assert isinstance(direct, aiohttp.TCPConnector)
        assert await asked(opened, f"http://rebound.example:{port}/1.png") == 204  # remembered
        direct.clear_dns_cache()
        with pytest.raises(RefusedHostError, match=r"10\.0\.0\.1"):
            await asked(opened, f"http://rebound.example:{port}/1.png")
    assert len(heads) == 2


async def test_without_a_session_names_are_checked_as_well() -> None:
    async with listening() as (port, heads), sessions(Connections(), HostRules()) as opened:
        with pytest.raises(RefusedHostError, match="localhost"):
            await asked(opened, f"http://localhost:{port}/1.png")
    assert heads == []


async def test_many_at_once_share_a_look_up_and_all_hear_of_the_refusal() -> None:
    names = Names(["169.254.169.254"])
    async with resolving(names, HostRules(loopback=True, private=True)) as opened:
        calls = (asked(opened, "http://metadata.example/") for _ in range(5))
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in errors] == [RefusedHostError] * 5
    assert names.asked == ["metadata.example"]


async def test_a_connector_for_pictures_is_like_the_one_that_was_handed_in() -> None:
    async with listening() as (port, _):
        made: list[object] = []

        def factory(info: aiohttp.AddrInfoType) -> socket.socket:
            made.append(info)
            return socket.socket(family=info[0], type=info[1], proto=info[2])

        options = {
            "ssl": False,
            "family": socket.AF_INET,
            "local_addr": ("127.0.0.3", 0),
            "socket_factory": factory,
        }
        async with resolving(Names(["127.0.0.1"]), HERE, **options) as opened:
            async with await opened.get(URL(f"http://x.example:{port}/"), 5) as response:
                assert response.status == 204
            direct = opened._direct.connector
            assert isinstance(direct, aiohttp.TCPConnector)
            assert (direct._ssl, direct.family, direct.limit) == (False, socket.AF_INET, 0)
            assert [info[4][:2] for info in direct._local_addr_infos or ()] == [("127.0.0.3", 0)]
    assert len(made) == 1


class Tunnel(aiohttp.TCPConnector):
    """A connector of another class, such as a SOCKS proxy's: it decides where it connects."""


async def test_a_connector_of_another_class_is_used_as_it_is() -> None:
    names = Names(["127.0.0.1"])
    async with (
        listening() as (port, heads),
        aiohttp.ClientSession(connector=Tunnel(resolver=names)) as given,
        sessions(Connections(given), HostRules()) as opened,
    ):
        assert opened._direct.connector is given.connector
        assert await asked(opened, f"http://behind.example:{port}/1.png") == 204
        await opened.aclose()
        assert not given.closed
    assert len(heads) == 1


async def test_a_proxy_may_be_private_and_resolves_names_itself() -> None:
    names = Names(["127.0.0.1"])
    async with listening() as (port, heads):
        connections = Connections(proxy=f"http://user:secret@localhost:{port}")
        async with sessions(connections, HostRules()) as opened:
            assert await asked(opened, "http://pictures.example/1.png") == 204
            assert "secret" not in repr(opened)
    assert heads[0].startswith(b"GET http://pictures.example/1.png HTTP")
    assert names.asked == []


async def test_the_environment_names_proxies_and_who_is_asked_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listening() as (port, heads):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "direct.example")
        async with sessions(Connections(), HostRules()) as opened:
            assert await asked(opened, "http://pictures.example/1.png") == 204
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=Names(["10.0.0.1"])), trust_env=True
            ) as given,
            sessions(Connections(given), HostRules()) as opened,
        ):
            with pytest.raises(RefusedHostError):
                await asked(opened, "http://direct.example/1.png")
        # An emulator on this machine is reached by no proxy.
        here = Connections().download_sessions(api_root("http://127.0.0.1:1"), HERE)
        assert not here._proxies
        await here.aclose()
    assert len(heads) == 1


async def test_a_picture_s_host_gets_no_cookie_no_header_and_no_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not those of a session that was handed in, and not those of ~/.netrc."""
    (tmp_path / "netrc").write_text("machine x.example login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with listening() as (port, heads):
        jar = aiohttp.CookieJar()
        url = URL(f"http://x.example:{port}/1.png")
        jar.update_cookies({"session": "secret"}, url)
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=Names(["127.0.0.1"])),
                cookie_jar=jar,
                headers={"Authorization": "Bearer secret", "X-Secret": "secret"},
                trust_env=True,
            ) as given,
            sessions(Connections(given), HERE) as opened,
        ):
            await asked(opened, str(url))
            await asked(opened, str(url))
    assert len(heads) == 2
    assert not any(word in head.lower() for head in heads for word in (b"secret", b"cookie"))
    assert not any(b"authorization" in head.lower() for head in heads)
