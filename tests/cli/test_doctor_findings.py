"""What the doctor makes of what it saw: without a network, and without a clock."""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from yarl import URL

from nanobanana_async import MissingKeyError, NanoBananaClient, _client, _codec, _gateway, _hosts
from nanobanana_async._transport import Connections, api_root
from nanobanana_async.cli.doctor import (
    _account,
    _asking,
    _certificate,
    _limits,
    _settings,
    _text,
    _tls,
    _versions,
)
from nanobanana_async.cli.doctor._asking import Asked, Reply
from nanobanana_async.cli.doctor._finding import Finding, plain, skipped
from nanobanana_async.cli.doctor._limits import Means, OpenFiles

KEY = "sk-0123456789-abcdef"
GOOD = b'{"code":200,"message":"success","data":{"balance":12.5}}'
PLENTY = OpenFiles(20_000, 20_000, 9)


def replied(status: int = 200, body: bytes = GOOD, date: str = "", moment: float = 0.0) -> Asked:
    return Asked([Reply(status, body, date, moment, 0.1)])


# The account


@pytest.mark.parametrize(
    ("status", "body", "state", "words"),
    [
        (200, GOOD, "ok", "balance 12.5"),
        (200, b'{"code":200,"data":null}', "ok", "accepted"),
        (200, b'{"code":200,"data":{"balance":0}}', "warning", "balance 0"),
        (200, b'{"code":200,"data":{"balance":NaN}}', "ok", "accepted"),
        (200, b'{"code":401,"message":"no"}', "failed", "(401)"),
        (200, b"<html>Sign in to the airport</html>", "failed", "login page"),
        (301, b"", "failed", "leads elsewhere"),
        (401, b'{"code":401}', "failed", "not accepted"),
        (402, b'{"code":402}', "failed", "nothing left"),
        (403, b'{"code":403}', "failed", "may not"),
        (404, b"", "failed", "no such API"),
        (429, b"", "warning", "too many requests"),
        (502, b"<html>", "failed", "in trouble"),
    ],
)
def test_what_the_answer_says_of_the_account(
    status: int, body: bytes, state: str, words: str
) -> None:
    finding = _account.account(replied(status, body), KEY)
    assert (finding.state, bool(finding.advice)) == (state, state != "ok")
    assert words in finding.text


def test_nothing_that_the_server_writes_is_repeated() -> None:
    """It may be the key, or the half of it."""
    body = f'{{"code":401,"message":"Incorrect key {KEY[:6]}***","data":"{KEY}"}}'.encode()
    for status in (200, 401, 409, 500):
        assert KEY[:6] not in repr(_account.account(replied(status, body), KEY))


def test_without_a_key_a_refusal_is_no_fault_but_a_wrong_address_is() -> None:
    assert _account.account(replied(401), None).state == "skipped"
    assert _account.account(replied(404), None).state == "failed"


# The clock


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [
        (0, "ok", "agrees"),
        (4.9, "ok", "agrees"),
        (5.1, "warning", "5.1 s ahead of"),
        (-7, "warning", "7.0 s behind"),
        (-3600, "warning", "60.0 minutes behind"),
        (86_400, "warning", "24.0 hours ahead of"),
    ],
)
def test_the_clock(ahead: float, state: str, words: str) -> None:
    server = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC).timestamp() + 0.5
    asked = replied(date="Tue, 24 Nov 2026 12:00:00 GMT", moment=server + ahead)
    finding = _account.clock(asked)
    assert finding.state == state
    assert words in finding.text


@pytest.mark.parametrize("date", ["", "soon", "Tue, 99 Nov 2026 12:00:00 GMT"])
def test_a_clock_that_nobody_can_read(date: str) -> None:
    assert _account.clock(replied(date=date)).state == "skipped"


# Key, address, proxy


@pytest.mark.parametrize(
    ("key", "state", "words"),
    [
        (KEY, "ok", "plausible"),
        (None, "failed", "not set"),
        ("", "failed", "empty"),
        (f"{KEY}\n", "failed", "line end"),
        (f"Bearer {KEY}", "failed", "Bearer"),
        (f"'{KEY}'", "warning", "quotation marks"),
        ("your-key-here", "warning", "example"),
        ("sk-1", "warning", "example"),
    ],
)
def test_the_form_of_the_key(
    key: str | None, state: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APIXO_API_KEY", raising=False)
    environment = {} if key is None else {"APIXO_API_KEY": key}
    usable, finding = _settings.check_key(environment)
    assert finding.state == state
    assert words in finding.text
    assert KEY not in repr(finding)
    try:
        NanoBananaClient(key or None, base_url="http://127.0.0.1")
    except MissingKeyError:
        assert usable is None
    else:
        assert usable == key


def test_a_variable_of_a_similar_name() -> None:
    _, finding = _settings.check_key({"APIXO_KEY": KEY, "SSH_KEY": "x"})
    assert finding.text == "APIXO_API_KEY is not set; APIXO_KEY is, which nobody reads"


@pytest.mark.parametrize(
    ("option", "variable", "root", "source"),
    [
        (None, None, "https://api.apixo.ai/api/v1", "the default"),
        (None, "http://a.test/x/", "http://a.test/x/api/v1", "APIXO_BASE_URL"),
        ("http://b.test/api/v1", None, "http://b.test/api/v1", "--base-url"),
    ],
)
def test_the_address(option: str | None, variable: str | None, root: str, source: str) -> None:
    environment = {} if variable is None else {"APIXO_BASE_URL": variable}
    url, finding = _settings.check_address(option, environment)
    assert (str(url), finding.state, finding.facts["source"]) == (root, "ok", source)
    assert url == api_root(option or variable or _client.DEFAULT_BASE_URL)


def test_two_addresses_and_bad_ones() -> None:
    _, finding = _settings.check_address("http://b.test", {"APIXO_BASE_URL": "http://a.test"})
    assert finding.state == "warning"
    for base in (
        "nonsense",
        f"https://a.test?key={KEY}",
        f"https://{KEY}@a.test",
        "http://a:99999",
    ):
        url, finding = _settings.check_address(None, {"APIXO_BASE_URL": base})
        assert (url, finding.state) == (None, "failed")
        assert KEY not in repr(finding)
        with pytest.raises(ValueError, match="--base-url") as caught:
            _settings.check_address(base, {})
        assert KEY not in str(caught.value)


PROXIED = [
    ("https://a.test", {"HTTPS_PROXY": "http://u:hidden@p.test:3128"}),
    ("https://a.test", {"https_proxy": "http://p.test", "HTTPS_PROXY": "http://q.test"}),
    ("https://a.test", {"HTTP_PROXY": "http://p.test", "ALL_PROXY": "http://p.test"}),
    ("https://a.test", {"HTTPS_PROXY": "http://p.test", "NO_PROXY": "b.test, .test"}),
    ("https://a.test", {"NO_PROXY": "*"}),
    ("http://a.test", {"HTTP_PROXY": "http://p.test"}),
    ("http://localhost:1", {"HTTP_PROXY": "http://p.test"}),
    ("http://127.0.0.1:1", {"HTTP_PROXY": "http://p.test"}),
    ("http://[::1]:1", {"HTTP_PROXY": "http://p.test"}),
    ("https://a.test", {}),
]


@pytest.fixture
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme.upper()}_PROXY", raising=False)


@pytest.mark.usefixtures("_no_proxy")
@pytest.mark.parametrize(("base", "environment"), PROXIED)
async def test_the_proxy_is_the_clients(
    base: str, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    url, finding = _settings.check_proxy(api_root(base), None)
    session = Connections().api_session(api_root(base))
    await session.close()
    clients = session._default_proxy
    assert url == (None if clients is None else URL(clients))
    assert finding.state == "ok"
    assert "hidden" not in repr(finding)


@pytest.mark.usefixtures("_no_proxy")
def test_a_proxy_that_no_client_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://u:hidden@p.test:1080")
    url, finding = _settings.check_proxy(api_root("https://a.test"), None)
    assert (url, finding.state) == (None, "failed")
    assert "hidden" not in repr(finding)
    with pytest.raises(ValueError, match="proxy must be"):
        _settings.check_proxy(api_root("https://a.test"), "socks5://p.test")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "a.localhost.",
             "10.0.0.1", "localhost.example", "a.test"]
)  # fmt: skip
def test_this_machine_is_what_the_client_takes_for_it(host: str) -> None:
    assert _settings.is_loopback(host) == _hosts.is_loopback(host)


def test_what_is_known_of_the_client_holds() -> None:
    assert _settings.VENDOR == _client.DEFAULT_BASE_URL
    assert _limits.UNDER_WAY == _gateway.UNDER_WAY
    assert _codec.balance_call().path == _asking.BALANCE


# Limits


@pytest.mark.parametrize(
    ("means", "state", "words"),
    [
        (
            Means(0.085, PLENTY, "Epoll", 1_000),
            "ok",
            "take 15 connections at a round trip of 85 ms",
        ),
        (Means(0.001, PLENTY, "Epoll", None), "ok", "take 1 connection at"),
        (Means(None, None, "Proactor", None), "ok", "167 a second"),
        (Means(0.1, OpenFiles(inf, inf, 9), "Kqueue", None), "ok", "any number allowed"),
        (Means(0.1, OpenFiles(256, inf, 9), "Kqueue", None), "warning", "ulimit -n 1024"),
        (Means(0.1, OpenFiles(256, 256, 9), "Kqueue", None), "warning", "Have the limit raised"),
        (Means(2.0, OpenFiles(256, inf, 9), "Kqueue", None), "warning", "these connections"),
        (Means(5.0, PLENTY, "Epoll", None), "warning", "here 102 a second"),
        (Means(0.1, PLENTY, "Epoll", 200), "warning", "slow"),
        (Means(0.1, PLENTY, "Select", None), "warning", "few sockets"),
    ],
)
def test_whether_the_limits_can_be_reached(means: Means, state: str, words: str) -> None:
    finding = _limits.reach(means)
    assert finding.state == state
    assert words in f"{finding.text} {finding.advice}"


async def test_what_this_machine_has() -> None:
    files = _limits.open_files()
    assert files is None or 0 < files.now < files.soft <= files.hard
    assert _limits.selector_of(asyncio.get_running_loop()) in ("Epoll", "Kqueue", "Select")


# Versions

NEEDS = _versions.needs(
    ["aiohttp>=3.14", "click>=8.3; extra == 'cli'", 'rich >= 15 ; extra == "cli"', "pillow>=12; extra=='bulk'"]
)  # fmt: skip


@pytest.mark.parametrize(
    ("there", "state", "words"),
    [
        ({"aiohttp": "3.14.5", "click": "8.10", "rich": "15", "pillow": "12"}, "ok", "cli, bulk"),
        (
            {"aiohttp": "3.14rc1", "click": "8.3", "rich": "15"},
            "ok",
            "not bulk (pillow is missing)",
        ),
        (
            {"aiohttp": "3.14", "click": "8.3", "rich": "9.9"},
            "warning",
            "rich is 9.9, 15 is needed",
        ),
        ({"aiohttp": "3.9.1"}, "failed", "aiohttp is 3.9.1, 3.14 is needed"),
        ({}, "failed", "aiohttp is missing"),
    ],
)
def test_versions(there: Mapping[str, str], state: str, words: str) -> None:
    finding = _versions.versions(NEEDS, there.get)
    assert finding.state == state
    assert words in finding.text


def test_the_versions_here() -> None:
    finding = _versions.check_versions()
    assert finding.state == "ok"
    assert {"bulk", "cli", "emulator", "telemetry"} <= set(finding.facts["extras"])


# Certificates

CERTIFICATE = """\
MIIBwzCCAWigAwIBAgIUe5ybopOgW7wQg0IvpfhJQX6vDOkwCgYIKoZIzj0EAwIw
LTETMBEGA1UECgwKRXhhbXBsZSBBRzEWMBQGA1UEAwwNSW5zcGVjdGluZyBDQTAg
Fw0yNjExMjQxOTE1MzBaGA8yMTI2MTAzMTE5MTUzMFowLTETMBEGA1UECgwKRXhh
bXBsZSBBRzEWMBQGA1UEAwwNSW5zcGVjdGluZyBDQTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABOzbel7dCnnXZVi3JmZTI1hBTe/nywlUs7FjdadRd/vZFk7zpYPX
1r9F+rvw1xaY699Qp5q5Mi1UNoAglMpzF9CjZDBiMB0GA1UdDgQWBBQAq0lkrZZg
7IcSzEnWxHjW48QwfTAfBgNVHSMEGDAWgBQAq0lkrZZg7IcSzEnWxHjW48QwfTAP
BgNVHRMBAf8EBTADAQH/MA8GA1UdEQQIMAaHBH8AAAEwCgYIKoZIzj0EAwIDSQAw
RgIhAK7R0m6Tbi3NMArlICpg6SL9aoKpz0jmAm76q+UxqrapAiEA2whw2yKO+wv1
zb61uEAOfMoHkOqOmh1krH+7nWvs3tM=
"""


def test_a_certificate_is_read_without_trusting_it() -> None:
    found = _certificate.read(b64decode(CERTIFICATE))
    assert found.subject == found.issuer == "Inspecting CA, Example AG"
    assert (found.begins.year, found.ends.year) == (2026, 2126)


def test_what_is_no_certificate() -> None:
    der = b64decode(CERTIFICATE)
    for size in (0, 1, 5, 60, 120):
        with pytest.raises(ValueError, match="no certificate"):
            _certificate.read(der[:size])


def test_one_that_runs_out_and_those_that_are_not_trusted() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    found = _certificate.read(b64decode(CERTIFICATE))
    ending = found._replace(ends=now + timedelta(days=3))
    assert _tls.trusted(_tls.Handshake("TLSv1.3", found), now).state == "ok"
    assert _tls.trusted(_tls.Handshake("TLSv1.3", ending), now).state == "warning"
    expired = _tls.untrusted(10, "certificate has expired", found)
    assert "clock" in expired.advice
    assert "issued by Inspecting CA" in expired.text
    assert "SSL_CERT_FILE" in _tls.untrusted(20, "unable to get", None).advice


# How it looks

LONG = Finding("lookup", "failed", "word " * 40 + "http://" + "a" * 120, "Do this " * 20)


@pytest.mark.parametrize("width", [20, 40, 63, 64, 80, 100])
def test_no_line_is_too_wide(width: int) -> None:
    text = _text.lines(LONG, width, colour=False)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert _text.lines(LONG, width, colour=True).startswith("\x1b[31mfailed\x1b[0m ")


def test_the_last_line() -> None:
    warned, fine = Finding("a", "warning", ""), Finding("b", "ok", "")
    assert _text.verdict([fine, skipped("c", "")]) == "All is well."
    assert _text.verdict([fine, warned]) == "Nothing failed; 1 warning."
    assert _text.verdict([LONG, LONG, warned, fine]) == "2 checks failed, 1 warning."


def test_foreign_texts_move_no_cursor() -> None:
    assert plain("a\x1b[2J\r\nü") == "a?[2J??\\xfc"
