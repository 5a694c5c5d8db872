"""`nanobanana doctor` against servers that are well, and against those that are not."""

import asyncio
import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nanobanana_async.cli._group import nanobanana
from nanobanana_async.cli.doctor import _examination
from nanobanana_async.cli.doctor._finding import Finding
from nanobanana_async.cli.doctor._pace import client_pace
from nanobanana_async.emulator import Emulator

from .command import MODULE, run, run_code

KEY = "sk-emulator"
NETWORK = ["lookup", "connection", "TLS", "clock", "account"]
SERVER = """\
HTTP/1.1 200 OK\r
Content-Length: 25\r
\r
{"code":200,"data":[1,2]}"""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the environment, and no time for a measurement of the machine."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("APIXO_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(_examination, "client_pace", _no_pace)


async def _no_pace(_: float) -> None:
    pass


async def examined(
    url: str, key: str | None = KEY, *, seconds: float = 10, proxy: str | None = None
) -> dict[str, Finding]:
    """What the doctor finds, by name; in its order."""
    environment = {} if key is None else {"APIXO_API_KEY": key}
    settings = _examination.read_settings(url, proxy, environment)
    findings = list(settings.findings)
    await _examination.examine(settings, seconds, findings.append, debug=True)
    assert [finding.name for finding in findings] == ["key", "address", "proxy", *NETWORK, "limits"]
    return {finding.name: finding for finding in findings}


def states(findings: Mapping[str, Finding]) -> str:
    """Of the network, by their first letters: of ok, warning, failed, skipped."""
    return "".join(findings[name].state[0] for name in NETWORK)


@asynccontextmanager
async def server(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve at a port of loopback; in the end no connection is left."""
    serving: set[asyncio.Task[None]] = set()

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The doctor leaves when it has seen enough.
        with suppress(OSError, EOFError):
            await serve(reader, writer)
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(serve_and_close(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0, ssl=context) as listening:
        yield listening.sockets[0].getsockname()[1]
    await asyncio.wait_for(asyncio.gather(*serving), 10)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(SERVER.encode())


async def be_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass


# An emulator


async def test_all_is_well() -> None:
    async with Emulator(balance=3, latency=0.02) as emulator:
        found = await examined(emulator.url)
        assert emulator.ledger().requests["balance"] == 3
    assert {finding.state for finding in found.values()} == {"ok"}
    assert found["account"].text == "the key is accepted; balance 3"
    assert 0.02 <= found["limits"].facts["round_trip_seconds"] < 1
    assert found["limits"].facts["connections"] >= 4


async def test_a_wrong_key() -> None:
    async with Emulator() as emulator:
        found = await examined(emulator.url, "sk-0123456789abcdef")
        assert emulator.ledger().requests["balance"] == 1
    assert states(found) == "oooof"
    assert "(401)" in found["account"].text


async def test_without_a_key_all_but_the_account_is_looked_at() -> None:
    async with Emulator(clock_offset=60) as emulator:
        found = await examined(emulator.url, None)
    assert (found["key"].state, states(found)) == ("failed", "ooows")
    assert found["limits"].facts["round_trip_seconds"]


@pytest.mark.parametrize(
    ("settings", "path", "ends"),
    [
        ({"clock_offset": 3.0}, "", "oo"),
        ({"clock_offset": -90.0}, "", "wo"),
        ({"faults": {"balance_429": 1.0}}, "", "ow"),
        ({"requests_per_minute": 1}, "", "oo"),
        ({"faults": {"balance_502_html": 1.0}}, "", "of"),
        ({"faults": {"balance_lost": 1.0}}, "", "sf"),
        ({}, "/v2", "of"),
    ],
    ids=str,
)
async def test_clock_and_account(settings: dict[str, Any], path: str, ends: str) -> None:
    async with Emulator(**settings) as emulator:
        found = await examined(emulator.url + path, seconds=0.5 if "s" in ends else 10)
    assert states(found) == f"ooo{ends}"


# No API


def test_a_port_where_nobody_is() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        found = asyncio.run(examined(f"http://127.0.0.1:{bound.getsockname()[1]}"))
    assert states(found) == "ofsss"
    assert "Connection refused" in found["connection"].text


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that answers nothing, not even that nobody is there: its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for knocking in (first, second):
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_host_that_says_nothing_takes_no_longer_than_it_may() -> None:
    clock = asyncio.get_running_loop().time
    with black_hole() as port:
        began = clock()
        found = await examined(f"http://127.0.0.1:{port}", seconds=0.3)
        assert 0.3 <= clock() - began < 3
    assert states(found) == "ofsss"
    assert "no answer" in found["connection"].text


async def test_a_server_that_says_nothing() -> None:
    async with server(be_silent) as port:
        plain = await examined(f"http://127.0.0.1:{port}", seconds=0.3)
        over_tls = await examined(f"https://127.0.0.1:{port}", seconds=0.3)
    assert states(plain) == "ooosf"
    assert states(over_tls) == "oofss"


async def test_a_redirect_is_not_followed() -> None:
    heard: list[bytes] = []

    async def lead_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")

    async with server(lead_on) as port:
        found = await examined(f"http://127.0.0.1:{port}")
    assert (states(found), len(heard)) == ("ooosf", 1)
    assert "(302)" in found["account"].text


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "whatever")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = await examined("https://api.example")
    assert states(found) == "fssss"
    assert found["lookup"].text == "api.example: nobody knows this name"


async def test_the_vendors_name_at_an_address_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def misled(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))]

    monkeypatch.setattr(socket, "getaddrinfo", misled)
    found = await examined("https://api.apixo.ai")
    assert (found["lookup"].state, found["lookup"].facts["addresses"]) == ("warning", ["127.0.0.1"])


# TLS, and proxies


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself; and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(  # noqa: S603 - our own words
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "30", "-subj", "/CN=Reading Along", "-keyout", str(key),
         "-addext", "subjectAltName=IP:127.0.0.1", "-out", str(cert)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture
def context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def test_a_certificate_that_nobody_trusts_ends_it_and_names_its_issuer(
    context: ssl.SSLContext,
) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    async with server(listen, context) as port:
        found = await examined(f"https://127.0.0.1:{port}")
    assert states(found) == "oofss"
    assert "issued by Reading Along" in found["TLS"].text
    assert not any(heard)


async def test_one_that_is_trusted(
    context: ssl.SSLContext, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with server(answer, context) as port:
        found = (await examined(f"https://127.0.0.1:{port}"))["TLS"]
        other = (await examined(f"https://localhost:{port}"))["TLS"]
    assert (found.state, found.facts["issuer"]) == ("ok", "Reading Along")
    assert found.text.endswith("good for 29 days")
    assert (other.state, other.facts["subject"]) == ("failed", "Reading Along")


async def test_no_tls_where_there_should_be_some() -> None:
    async with Emulator() as emulator:
        found = await examined(emulator.url.replace("http:", "https:"))
    assert states(found) == "oofss"
    assert "http://" in found["TLS"].advice


async def test_http_goes_through_a_proxy_and_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Emulator() as proxy:  # which reads the path alone
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        found = await examined("http://api.example")
        assert proxy.ledger().requests["balance"] == 3
    assert states(found) == "oowoo"
    assert found["proxy"].text.startswith(f"{proxy.url}, from HTTP_PROXY")


async def test_https_goes_through_a_proxy(
    context: ssl.SSLContext, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Go ahead\r\n\r\n")
        await writer.start_tls(context)
        await be_silent(reader, writer)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with server(lead) as port:
        found = await examined(
            "https://127.0.0.1:9", proxy=f"http://me:hid%3Aden@127.0.0.1:{port}", seconds=2
        )
    assert found["TLS"].state == "ok"
    assert heads[0].startswith(b"CONNECT 127.0.0.1:9 HTTP/1.1\r\n")
    assert base64.b64encode(b"me:hid:den") in heads[0]
    assert "hid" not in repr(found)


async def test_a_proxy_that_does_not_lead_there() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Who are you?\r\n\r\n")

    async with server(refuse) as port:
        found = await examined("https://api.example", proxy=f"http://127.0.0.1:{port}")
    assert states(found) == "oofss"
    assert "(407)" in found["TLS"].text


# The command


async def test_a_check_that_crashes_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(_examination, "check_tls", crash)
    async with Emulator() as emulator:
        settings = _examination.read_settings(emulator.url, None, {"APIXO_API_KEY": KEY})
        findings: list[Finding] = []
        await _examination.examine(settings, 10, findings.append, debug=False)
        with pytest.raises(ZeroDivisionError):
            await _examination.examine(settings, 10, findings.append, debug=True)
    assert findings[2].text == "this check crashed (ZeroDivisionError)"
    assert findings[5].name == "limits"


async def test_the_pace_of_this_machine() -> None:
    pace = await client_pace(30)
    assert pace is not None
    assert pace > 1
    assert await client_pace(0) is None


async def test_piped_it_is_plain_and_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    async with Emulator(api_key="sk-0123456789") as emulator:
        monkeypatch.setenv("APIXO_BASE_URL", emulator.url)
        monkeypatch.setenv("APIXO_API_KEY", "sk-0123456789")
        done = await asyncio.to_thread(run, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    assert "sk-0" not in done.stdout
    assert done.stdout.startswith("ok       versions    Python 3.")


def test_a_reader_that_leaves() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(  # noqa: S603 - our own command
        [*MODULE, "doctor", "--base-url", "http://127.0.0.1:9"],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_debug_shows_where_a_check_crashed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(_examination, "_limits", crash)
    monkeypatch.setenv("APIXO_BASE_URL", "nonsense")
    without = CliRunner().invoke(nanobanana, ["doctor"])
    assert (without.exit_code, without.stderr) == (1, "")
    assert "--debug" in without.stdout
    assert "Traceback" in CliRunner().invoke(nanobanana, ["doctor", "--debug"]).stderr


def test_one_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIXO_BASE_URL", "nonsense")
    result = CliRunner().invoke(nanobanana, ["doctor", "--json"])
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"]) == (1, False)
    assert [check["name"] for check in told["checks"]] == [
        "versions", "key", "address", *NETWORK, "limits"
    ]  # fmt: skip
    assert "APIXO_API_KEY" in told["checks"][1]["advice"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--base-url", "nonsense"],
        ["--proxy", "socks5://u:hidden@p.test"],
        ["--timeout", "0"],
        ["surplus"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line(arguments: list[str]) -> None:
    result = CliRunner().invoke(nanobanana, ["doctor", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "hidden" not in line


@pytest.mark.parametrize(
    ("missing", "lines"), [("rich PIL filelock", "limits"), ("aiohttp", "libraries")]
)
def test_it_works_with_what_is_there(missing: str, lines: str) -> None:
    code = f"""
import sys
sys.modules |= dict.fromkeys({missing.split()!r})
from nanobanana_async.cli import main
main()
"""
    done = run_code(code, "doctor", "--base-url", "http://127.0.0.1:9")
    assert (done.returncode, done.stderr) == (1, "")
    assert f" {lines} " in done.stdout
