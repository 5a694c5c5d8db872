"""The key is nowhere: every kind of failure with a marked key, and then a search for it.

Searched are all messages, reprs, logs, exception chains and attributes, two levels deep, and
tracebacks with the locals of every frame but the library's own. The password of a proxy is a
secret like the key.
"""

import asyncio
import logging
import socket
import ssl
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from attrs import evolve

import nanobanana_async
from nanobanana_async import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    ClientClosedError,
    ClientCrashedError,
    DownloadError,
    ImageRequest,
    ImageResult,
    InsufficientBalanceError,
    InvalidRequestError,
    MissingKeyError,
    NanoBananaClient,
    NotFoundError,
    PermissionDeniedError,
    QueueTimeoutError,
    SubmitUnknownError,
    TaskFailedError,
    TaskTimeoutError,
    WrongLoopError,
)
from nanobanana_async._wire import Call, Reply
from nanobanana_async.emulator import Emulator, FailFast, Stuck
from tests.emulated import rest_of

KEY = "sk-MARKED-0123456789abcdef"
USER_AND_PASSWORD = "me:MARKED-password"
SECRETS = ("MARKED", b64encode(USER_AND_PASSWORD.encode()).decode())

LIBRARY = str(Path(nanobanana_async.__file__).parent)
SOON = 1.0
"""Seconds for a call that cannot end well."""

Shown = Iterator[tuple[str, str]]
"""What somebody may come to read, each with the place where it stands."""


# The search


def parts_of(thing: object) -> Iterator[tuple[str, object]]:
    """The attributes of a thing, with a dict or with slots; the elements of a container."""
    if isinstance(thing, Mapping):
        yield from ((f"[{name!r}]", value) for name, value in thing.items())
    elif isinstance(thing, tuple | list | set | frozenset):
        yield from ((f"[{number}]", value) for number, value in enumerate(thing))
    else:
        slots = (vars(kind).get("__slots__", ()) for kind in type(thing).__mro__)
        names = chain.from_iterable(
            (names,) if isinstance(names, str) else names for names in slots
        )
        plain = getattr(thing, "__dict__", {})
        for name in (*names, *plain, *(("args",) if isinstance(thing, BaseException) else ())):
            if hasattr(thing, name):
                yield f".{name}", getattr(thing, name)


def shown_of(thing: object, where: str, levels: int = 2) -> Shown:
    """What a thing and its attributes, `levels` deep, look like."""
    yield where, f"{thing!r} {thing!s}"
    if levels:
        for name, value in parts_of(thing):
            yield from shown_of(value, f"{where}{name}", levels - 1)


def family(error: BaseException) -> list[BaseException]:
    """An error with its causes, its contexts and the members of its groups, to the last."""
    found = [error]
    for one in found:
        relatives = [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
        found += [new for new in relatives if new and not any(new is old for old in found)]
    return found


def shown_by_error(error: BaseException, where: str) -> Shown:
    """All that can be read in an error and those behind it."""
    yield where, "".join(traceback.format_exception(error))
    for one in family(error):
        name = f"{where}: {type(one).__name__}"
        yield from shown_of(one, name)
        for frame, line in traceback.walk_tb(one.__traceback__):
            if not frame.f_code.co_filename.startswith(LIBRARY):
                place = f"{name}: locals at {frame.f_code.co_filename}:{line}"
                yield place, repr(frame.f_locals)


def shown_by_record(record: logging.LogRecord) -> Shown:
    """All that a handler could write of a log record."""
    where = f"log {record.name} {record.msg!r}"
    yield where, record.getMessage()
    yield from shown_of(record, where)
    if record.exc_info and record.exc_info[1]:
        yield from shown_by_error(record.exc_info[1], where)


def leaks(
    errors: Iterable[BaseException], records: Iterable[logging.LogRecord] = (), *things: object
) -> list[str]:
    """Name the places at which a secret can be read."""
    shown = chain(
        *(shown_by_error(error, "error") for error in errors),
        *(shown_by_record(record) for record in records),
        *(shown_of(thing, type(thing).__name__) for thing in things),
    )
    return sorted({where for where, text in shown if any(secret in text for secret in SECRETS)})


class _Slotted:
    __slots__ = ("held",)

    def __init__(self, held: object) -> None:
        self.held = held


def _with_cause(cause: Exception) -> Exception:
    error = LookupError()
    error.__cause__ = cause
    return error


def _with_attribute(value: object) -> Exception:
    error = LookupError()
    error.value = value  # type: ignore[attr-defined]
    return error


def _with_note() -> Exception:
    error = LookupError()
    error.add_note(f"sent with {KEY}")
    return error


def _with_local() -> Exception:
    def fail(header: str) -> int:
        return len(header) // 0

    try:
        fail(f"Bearer {KEY}")
    except ZeroDivisionError as error:
        return error
    raise AssertionError


def _with_hidden_context() -> Exception:
    error = _with_cause(LookupError())
    error.__context__ = KeyError(KEY)
    return error


PLANTED: dict[str, Callable[[], BaseException]] = {
    "the message": lambda: LookupError(KEY),
    "an attribute": lambda: _with_attribute(KEY),
    "an attribute of an attribute": lambda: _with_attribute(_with_attribute(KEY)),
    "a slot": lambda: _with_attribute(_Slotted({"Authorization": KEY})),
    "a note": _with_note,
    "a cause": lambda: _with_cause(ValueError(KEY)),
    "a hidden context": _with_hidden_context,
    "a cause's attribute": lambda: _with_cause(_with_attribute(_Slotted(KEY))),
    "a member of a group": lambda: ExceptionGroup("", [ExceptionGroup("", [LookupError(KEY)])]),
    "a local variable": _with_local,
    "a proxy's header": lambda: LookupError(SECRETS[1]),
}


MESSAGE = f"sent with {KEY}"


class TestTheSearchItself:
    @pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
    def test_finds_a_key_in_an_error(
        self, plant: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
    ) -> None:
        assert leaks([plant()])
        logging.getLogger("somebody").error("It failed", exc_info=plant())
        assert leaks([], caplog.records)

    @pytest.mark.parametrize(
        "write",
        [
            lambda log: log.debug(MESSAGE),
            lambda log: log.debug("sent with %s", KEY),
            lambda log: log.debug("sent", extra={"header": KEY}),
            lambda log: log.debug("sent", extra={"call": _Slotted(KEY)}),
        ],
        ids=["message", "argument", "extra", "attribute of extra"],
    )
    def test_finds_a_key_in_a_log(
        self, write: Callable[[logging.Logger], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        write(logging.getLogger("somebody"))
        assert leaks([], caplog.records)

    def test_finds_a_key_in_a_thing(self) -> None:
        assert leaks([], [], _Slotted(_Slotted(KEY)))

    def test_finds_nothing_where_nothing_is(self, caplog: pytest.LogCaptureFixture) -> None:
        logging.getLogger("somebody").error("It failed", exc_info=LookupError("a cat"))
        assert not leaks([_with_cause(ValueError("a cat"))], caplog.records)


# What is provoked


async def caught(call: Awaitable[object]) -> BaseException:
    """The error of a call that must have one."""
    try:
        result = await call
    except BaseException as error:  # noqa: BLE001 - a cancellation, too
        return error
    raise AssertionError(f"no error came but {result!r}")


async def everything_raised(client: NanoBananaClient) -> list[BaseException]:
    """Ask for everything at once; return what is raised or handed out."""
    many = asyncio.create_task(rest_of(client.generate_many(["a cow"], timeout=SOON)))
    without_end = [
        asyncio.create_task(caught(ask))
        for ask in (client.balance(), client.task("task_1").status())
    ]
    found: list[object] = [
        *await asyncio.gather(
            client.generate("a cat", timeout=SOON),
            client.submit("a dog", timeout=SOON),
            return_exceptions=True,
        )
    ]
    outcomes, stopped_by = await many
    for ask in without_end:
        ask.cancel()
    found += [stopped_by, *(outcome.error for outcome in outcomes)]
    found += await asyncio.gather(*without_end, return_exceptions=True)
    return [error for error in found if isinstance(error, BaseException)]


def kinds(errors: Iterable[BaseException]) -> set[type[BaseException]]:
    return {type(error) for error in errors}


@pytest.fixture(autouse=True)
def _all_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def opened(base_url: str, **options: Any) -> NanoBananaClient:
    """A client with the marked key and no patience."""
    quick: dict[str, Any] = {"request_timeout": 2.0, "connect_patience": 0.2} | options
    return NanoBananaClient(KEY, base_url=base_url, **quick)


EMULATED: dict[str, tuple[dict[str, Any], type[BaseException]]] = {
    "401": ({"api_key": "another"}, AuthenticationError),
    "402": ({"balance": 0.0}, InsufficientBalanceError),
    "429": ({"faults": {"submit_429": 1.0, "check_429": 1.0}}, QueueTimeoutError),
    "500": ({"faults": {"submit_500": 1.0, "check_500": 1.0}}, SubmitUnknownError),
    "503": ({"faults": {"submit_503": 1.0, "check_503": 1.0}}, QueueTimeoutError),
    "503 of a proxy": ({"faults": {"submit_503_html": 1.0}}, SubmitUnknownError),
    "a reset": ({"faults": {"submit_reset": 1.0, "check_reset": 1.0}}, SubmitUnknownError),
    "a lost answer": ({"faults": {"submit_lost": 1.0, "check_lost": 1.0}}, SubmitUnknownError),
    "a slow task": ({}, TaskTimeoutError),
}


@pytest.mark.parametrize(("settings", "kind"), EMULATED.values(), ids=EMULATED)
async def test_what_the_api_refuses_or_loses(
    settings: dict[str, Any], kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    account: dict[str, Any] = {"api_key": KEY, "service": Stuck(600.0)} | settings
    async with Emulator(**account) as emulator, opened(emulator.url) as client:
        errors = await everything_raised(client)
    assert kind in kinds(errors)
    assert not leaks(errors, caplog.records)


async def test_a_task_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        Emulator(api_key=KEY, service=FailFast(0.01)) as emulator,
        opened(emulator.url) as client,
    ):
        error = await caught(client.generate("a cat"))
    assert isinstance(error, TaskFailedError)
    assert not leaks([error], caplog.records)


@asynccontextmanager
async def server(
    answer: Callable[[bytes], bytes], **options: Any
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers the head of each request; its URL, and the heads that it was sent."""
    heads: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer(heads[-1]))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a client that leaves is what some of the tests are about
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", **options) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", heads


def http(status: int, body: bytes = b"", *headers: bytes) -> bytes:
    """An HTTP answer, after which the connection ends."""
    lines = (b"HTTP/1.1 %d Status" % status, b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join((*lines, b"Connection: close", b"", body))


def envelope(code: int, message: bytes = b"no") -> bytes:
    body = b'{"code": %d, "message": "%s", "data": {"error": "%s"}}' % (code, message, message)
    return http(code, body)


def bearer(head: bytes) -> bytes:
    """What a request's Authorization header says."""
    return head.partition(b"Authorization: ")[2].partition(b"\r\n")[0]


ANSWERS: dict[str, tuple[Callable[[bytes], bytes], type[BaseException]]] = {
    "400": (lambda _: envelope(400), InvalidRequestError),
    "403": (lambda _: envelope(403), PermissionDeniedError),
    "404": (lambda _: envelope(404), NotFoundError),
    "404 of somebody else": (lambda _: http(404, b"<html>"), APIStatusError),
    "200 without a task": (lambda _: http(200, b'{"code": 200}'), SubmitUnknownError),
    "nothing": (lambda _: b"", SubmitUnknownError),
    "no HTTP": (lambda _: b"nonsense\r\n\r\n", SubmitUnknownError),
    "a body cut short": (lambda _: http(200, b"{" * 9)[:-5], SubmitUnknownError),
    "a header of 100 KB": (lambda _: http(200, b"{}", b"X: " + b"x" * 100_000), SubmitUnknownError),
    "a redirect": (lambda _: http(307, b"", b"Location: /there"), SubmitUnknownError),
}


@pytest.mark.parametrize(("answer", "kind"), ANSWERS.values(), ids=ANSWERS)
async def test_answers_of_every_kind(
    answer: Callable[[bytes], bytes], kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async with server(answer) as (url, _), opened(url) as client:
        errors = await everything_raised(client)
    assert kind in kinds(errors)
    assert not leaks(errors, caplog.records)


ECHOES: dict[str, tuple[Callable[[bytes], bytes], type[BaseException]]] = {
    "in the message of 400": (lambda head: envelope(400, bearer(head)), InvalidRequestError),
    "in the message of 401": (lambda head: envelope(401, bearer(head)), AuthenticationError),
    "in the message of 500": (lambda head: envelope(500, bearer(head)), SubmitUnknownError),
    "in a body": (lambda head: http(500, head), SubmitUnknownError),
    "in a redirect": (
        lambda head: http(307, b"", b"Location: /?" + bearer(head)),
        SubmitUnknownError,
    ),
    "as garbage": (lambda head: head, SubmitUnknownError),
    "as a status line": (lambda head: bearer(head) + b"\r\n\r\n", SubmitUnknownError),
    "as a broken header": (
        lambda head: b"HTTP/1.1 200 OK\r\n" + bearer(head) + b"\x00\r\n\r\n",
        SubmitUnknownError,
    ),
    "as a bad chunk": (
        lambda head: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + bearer(head),
        SubmitUnknownError,
    ),
    "in a head cut short": (
        lambda head: b"HTTP/1.1 200 OK\r\nX-Echo: " + bearer(head) + b"\r\n",
        SubmitUnknownError,
    ),
    "in a header of 100 KB": (
        lambda head: http(200, b"", b"X: " + bearer(head) * 3_000),
        SubmitUnknownError,
    ),
}


@pytest.mark.parametrize(("answer", "kind"), ECHOES.values(), ids=ECHOES)
async def test_a_server_that_sends_the_key_back(
    answer: Callable[[bytes], bytes], kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """Word for word is not for the key: debug pages and some proxies repeat a request's headers."""
    async with server(answer) as (url, heads), opened(url) as client:
        errors = await everything_raised(client)
    assert any(KEY.encode() in head for head in heads)
    assert kind in kinds(errors)
    assert not leaks(errors, caplog.records)


async def test_what_stands_beside_a_key_that_is_sent_back_is_handed_on() -> None:
    def answer(head: bytes) -> bytes:
        return envelope(400, b"seed: unknown, with " + bearer(head) + b" as key")

    async with server(answer) as (url, _), opened(url) as client:
        error = await caught(client.generate("a cat"))
    assert isinstance(error, InvalidRequestError)
    assert "seed: unknown, with Bearer " in str(error)
    assert " as key" in str(error)
    assert not leaks([error])


# No connection


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def with_password(url: str) -> str:
    return url.replace("://", f"://{USER_AND_PASSWORD}@")


class TestNoConnection:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_closed_port(self, scheme: str, caplog: pytest.LogCaptureFixture) -> None:
        await self.fails(caplog, f"{scheme}://127.0.0.1:{closed_port()}")

    async def test_no_such_host(self, caplog: pytest.LogCaptureFixture) -> None:
        await self.fails(caplog, "http://nowhere.invalid")

    async def test_tls_against_a_plain_port(self, caplog: pytest.LogCaptureFixture) -> None:
        async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(http(400))
            writer.close()

        async with await asyncio.start_server(plain, "127.0.0.1") as listening:
            url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            await self.fails(caplog, url, ssl=ssl.create_default_context())

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_proxy_that_is_not_there(
        self, scheme: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        proxy = with_password(f"http://127.0.0.1:{closed_port()}")
        await self.fails(caplog, f"{scheme}://api.invalid", proxy=proxy)

    @pytest.mark.parametrize("scheme", ["http://", "", "socks5://"], ids=ascii)
    async def test_a_proxy_of_the_environment(
        self, scheme: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Other programs take it without a scheme, too, so it may be there."""
        proxy = f"{scheme}{USER_AND_PASSWORD}@127.0.0.1:{closed_port()}"
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        await self.fails(caplog, "http://api.invalid")

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_proxy_that_wants_another_password(
        self, scheme: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """To an https API it is asked to connect, and there it learns no key."""
        kind = {"http": APIStatusError, "https": APIConnectionError}[scheme]
        async with server(lambda _: http(407, b"denied")) as (url, heads):
            proxy = with_password(url)
            await self.fails(caplog, f"{scheme}://api.invalid", kind, proxy=proxy)
        assert SECRETS[1].encode() in heads[0]
        assert (KEY.encode() in b"".join(heads)) == (scheme == "http")

    async def test_a_session_that_is_closed_meanwhile(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with (
            Emulator(api_key=KEY) as emulator,
            aiohttp.ClientSession() as given,
            opened(emulator.url, session=given) as client,
        ):
            await client.balance()
            await given.close()
            errors = await everything_raised(client)
        assert APIConnectionError in kinds(errors)
        assert not leaks(errors, caplog.records)

    @staticmethod
    async def fails(
        caplog: pytest.LogCaptureFixture,
        base_url: str,
        kind: type[BaseException] = APIConnectionError,
        **options: Any,
    ) -> None:
        async with opened(base_url, **options) as client:
            errors = await everything_raised(client)
        assert kind in kinds(errors)
        assert not leaks(errors, caplog.records)


async def test_no_answer_in_time(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        Emulator(api_key=KEY, latency=0.3) as emulator,
        opened(emulator.url, request_timeout=0.1) as client,
    ):
        error = await caught(client.generate("a cat"))
    assert isinstance(error, SubmitUnknownError)
    assert not leaks([error], caplog.records)


# Leaving, closing, crashing


async def test_callers_that_are_cancelled_and_a_client_that_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        Emulator(api_key=KEY, service=Stuck(600.0)) as emulator,
        opened(emulator.url) as client,
    ):
        task = await client.submit("a cat")
        cancelled, waiting = (asyncio.create_task(task.result()) for _ in range(2))
        many = client.generate_many(["a cow"])
        reading = asyncio.create_task(caught(anext(many)))
        while client.statistics().in_flight < 2:
            await asyncio.sleep(0.01)
        cancelled.cancel()
        errors = [await caught(cancelled)]
        await client.aclose()
        errors += [await caught(waiting), await reading, await caught(client.generate("late"))]
    assert kinds(errors) == {asyncio.CancelledError, ClientClosedError}
    assert any("still running" in record.getMessage() for record in caplog.records)
    assert not leaks(errors, caplog.records, task, many)


async def test_a_lost_submit_that_nobody_awaits(caplog: pytest.LogCaptureFixture) -> None:
    faults = {"submit_lost": 1.0}
    async with (
        Emulator(api_key=KEY, latency=0.1, faults=faults) as emulator,
        opened(emulator.url) as client,
    ):
        caller = asyncio.create_task(client.generate("a cat"))
        while not client.statistics().submitting:
            await asyncio.sleep(0)
        caller.cancel()
        error = await caught(caller)
        while not client.statistics().unknown:
            await asyncio.sleep(0.01)
    assert "ERROR" in {record.levelname for record in caplog.records}
    assert not leaks([error], caplog.records)


class Broken(AbstractResolver):
    """Fails as no resolver should, deep inside the request."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise RuntimeError(f"{host}:{port} {family}")

    async def close(self) -> None:
        """Nothing is held."""


class BrokenTransport:
    async def send(self, call: Call, timeout: float) -> Reply:
        raise RuntimeError(f"{call.path} within {timeout}")

    async def aclose(self) -> None:
        """Nothing is held."""


async def test_a_crash_below_the_transport(caplog: pytest.LogCaptureFixture) -> None:
    """The frames of aiohttp are part of the crash, and their locals hold the headers."""
    pool = aiohttp.TCPConnector(resolver=Broken())
    async with (
        aiohttp.ClientSession(connector=pool) as given,
        opened("http://api.invalid", session=given) as client,
    ):
        error = await caught(client.balance())
    assert isinstance(error, ClientCrashedError)
    assert "RuntimeError: api.invalid:80" in "".join(traceback.format_exception(error))
    assert not leaks([error], caplog.records)


async def test_a_crash_of_the_transport(caplog: pytest.LogCaptureFixture) -> None:
    async with opened("http://api.invalid", transport=BrokenTransport()) as client:
        errors = await everything_raised(client)
    assert ClientCrashedError in kinds(errors)
    assert not leaks(errors, caplog.records)


async def test_another_loop(caplog: pytest.LogCaptureFixture) -> None:
    async with Emulator(api_key=KEY) as emulator, opened(emulator.url) as client:
        await client.balance()
        error = await caught(asyncio.to_thread(asyncio.run, client.balance()))
    assert isinstance(error, WrongLoopError)
    assert not leaks([error], caplog.records)


# Arguments


@pytest.mark.parametrize(
    "spoilt", [f"{KEY}\n", f"{KEY}\r\nHost: x", f" {KEY}", f"{KEY}é"], ids=ascii
)
def test_a_key_that_no_header_could_hold(spoilt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIXO_API_KEY", spoilt)
    for api_key in (spoilt, None):
        with pytest.raises(MissingKeyError) as error:
            NanoBananaClient(api_key)
        assert not leaks([error.value.with_traceback(None)])


BAD: dict[str, dict[str, Any]] = {
    "no URL": {"base_url": "api.example"},
    "password in base_url": {"base_url": with_password("http://127.0.0.1:9")},
    "query behind it": {"base_url": with_password("http://127.0.0.1:9/?a=b")},
    "limits": {"limits": 5},
    "time": {"timeout": -1},
    "model": {"model": "banana"},
    "proxy of another kind": {"proxy": with_password("socks5://127.0.0.1:9")},
    "proxy without a host": {"proxy": with_password("http://")},
    "proxy without a scheme": {"proxy": f"{USER_AND_PASSWORD}@127.0.0.1:9"},
}


@pytest.mark.parametrize("options", BAD.values(), ids=BAD)
def test_a_bad_argument_is_told_by_the_constructor(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(options))) as error:
        opened(**{"base_url": "http://api.invalid"} | options)
    # The frames between are the test's own, which know what they hand in.
    assert not leaks([error.value.with_traceback(None)])


def test_a_crash_report_can_show_the_frame_of_a_constructor_that_refuses() -> None:
    """It shows every local variable, and the half-built client is one of them."""
    with pytest.raises(ValueError, match="timeout") as error:
        opened("http://api.invalid", timeout=-1)
    traceback.TracebackException.from_exception(error.value, capture_locals=True)


async def test_a_bad_request(caplog: pytest.LogCaptureFixture) -> None:
    async with opened("http://api.invalid") as client:
        errors = [
            await caught(client.generate("")),
            await caught(client.generate("a cat", aspect_ratio="7:5", timeout=5)),
            await caught(client.generate("a cat", timeout=-1)),
            _refused(lambda: client.generate_many("a cat")),
            _refused(lambda: client.task("")),
        ]
    assert kinds(errors) == {InvalidRequestError, ValueError, TypeError}
    assert not leaks(errors, caplog.records)


def _refused(call: Callable[[], object]) -> BaseException:
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    return error.value


# Pictures


async def test_the_key_does_not_go_to_a_picture_s_host(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not by a redirect of it either, to the API's own host say, and no error tells it."""
    async with Emulator(api_key=KEY, speed=1_000) as emulator, opened(emulator.url) as client:
        elsewhere = b"Location: %s/api/v1/apikeys/current-balance" % emulator.url.encode()
        result = await client.generate("a cat")
        await client.download(result, tmp_path / "cat.png")
        errors: list[BaseException] = []
        for status, body, *headers in (
            (200, b"<html>"),
            (404, b"gone"),
            (403, b"denied"),
            (302, b"", elsewhere),
        ):
            answer = partial(_always, http(status, body, *headers))
            async with server(answer) as (url, heads):
                error = await caught(client.download(_at(result, url), tmp_path / "dog.png"))
            errors.append(error)
            assert not bearer(heads[0])
        errors.append(await caught(client.download(_at(result, "no URL"), tmp_path / "dog.png")))
        errors.append(await caught(client.download(result, tmp_path / "cat.png" / "dog.png")))
        errors.append(await _cut_short(client, _at(result, f"http://127.0.0.1:{closed_port()}")))
    assert kinds(errors) == {DownloadError, TimeoutError}
    assert emulator.ledger().keys_leaked == 0
    assert emulator.ledger().requests["balance"] == 1  # the redirect was followed
    assert not leaks(errors, caplog.records)


def _always(answer: bytes, _: bytes) -> bytes:
    return answer


def _at(result: ImageResult, url: str) -> ImageResult:
    return evolve(result, urls=(f"{url}/1.png",))


async def _cut_short(client: NanoBananaClient, result: ImageResult) -> BaseException:
    """A host that is away is asked again for some seconds."""
    return await caught(asyncio.wait_for(client.download(result, "never.png"), 0.1))


async def test_a_picture_behind_a_proxy_that_wants_another_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: sleep(seconds / 100))  # between the tries
    result = ImageResult(
        task_id="task_1",
        urls=("https://pictures.invalid/1.png",),
        created_at=None,
        completed_at=None,
        processing_time=None,
        request=None,
    )
    async with (
        server(lambda _: http(407, b"denied")) as (url, _),
        opened("http://api.invalid", proxy=with_password(url)) as client,
    ):
        error = await caught(client.download(result, tmp_path / "cat.png"))
    assert isinstance(error, DownloadError)
    assert not leaks([error], caplog.records)


# What the objects show


async def test_reprs_of_what_a_user_holds(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        Emulator(api_key=KEY, service=Stuck(600.0)) as emulator,
        opened(emulator.url) as client,
    ):
        task = await client.submit("a cat")
        status = await task.status()
        many = client.generate_many([ImageRequest("a cow")])
        things = (task, status, many, client.statistics(), client.task("task_1"))
        found = leaks([], caplog.records, *things)
        await many.aclose()
    assert not found


def reprs_of(thing: object, where: str, levels: int = 2) -> Shown:
    """What a debugger, or a report of a crash, writes of a thing and of its attributes."""
    yield where, repr(thing)
    if levels:
        for name, value in parts_of(thing):
            yield from reprs_of(value, f"{where}{name}", levels - 1)


@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
async def test_reprs_of_what_a_client_is_made_of(used: bool) -> None:
    """`vars(client)` in a debugger, or a crash reporter that writes the locals of our frames."""
    async with Emulator(api_key=KEY) as emulator:
        proxy = with_password("http://127.0.0.1:9")
        async with (
            opened(emulator.url) as direct,
            opened("http://api.invalid", proxy=proxy) as proxied,
        ):
            if used:
                await direct.balance()
                await caught(proxied.generate("a cat"))
            shown = chain(reprs_of(direct, "client"), reprs_of(proxied, "client"))
            places = {where for where, text in shown if any(secret in text for secret in SECRETS)}
    assert sorted(places) == []


async def test_asyncio_s_debug_mode(caplog: pytest.LogCaptureFixture) -> None:
    """It logs every step that takes long, with its task, and here every step takes long."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    async with (
        Emulator(api_key=KEY, service=Stuck(600.0)) as emulator,
        opened(emulator.url) as client,
    ):
        errors = await everything_raised(client)
    loop.set_debug(False)
    assert any(record.getMessage().startswith("Executing") for record in caplog.records)
    assert not leaks(errors, caplog.records)
