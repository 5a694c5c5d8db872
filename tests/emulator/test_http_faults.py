"""Every fault over real sockets: status, shape, and whether the submit was accepted."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime

import aiohttp
import pytest
from attrs import frozen

from nanobanana_async.emulator import Emulator, LogNormal

from .driver import KEY, body
from .shapes import ANSWERED, BROKEN, COMMON, CUT, SILENT, is_after, looks_like

SUBMIT = "/api/v1/generateTask/nano-banana-2"
CHECK = "/api/v1/statusTask/nano-banana-2"
BALANCE = "/api/v1/apikeys/current-balance"
AT_ONCE = LogNormal(1e-6, 0.0)
DISCONNECTED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
PATIENCE = 0.2


@frozen
class Got:
    status: int
    headers: Mapping[str, str]
    body: bytes


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"Authorization": KEY}) as session:
        # Else aiohttp's client sends a GET again whose connection was reset.
        session._retry_connection = False
        yield session


async def request(
    session: aiohttp.ClientSession, method: str, url: str, timeout: float = 5.0, **keywords: object
) -> Got:
    async with (
        asyncio.timeout(timeout),
        session.request(method, url, allow_redirects=False, **keywords) as answer,  # type: ignore[arg-type]
    ):
        headers = {name.lower(): value for name, value in answer.headers.items()}
        assert len(answer.headers.getall("date")) == 1
        return Got(answer.status, headers, await answer.read())


async def submit(session: aiohttp.ClientSession, emulator: Emulator, timeout: float = 5.0) -> Got:
    return await request(session, "POST", emulator.url + SUBMIT, timeout, json=body())


async def task(session: aiohttp.ClientSession, emulator: Emulator) -> str:
    return str(json.loads((await submit(session, emulator)).body)["data"]["taskId"])


async def check(
    session: aiohttp.ClientSession, emulator: Emulator, task_id: str, timeout: float = 5.0
) -> Got:
    query = {"taskId": task_id}
    return await request(session, "GET", emulator.url + CHECK, timeout, params=query)


def patience(act: str) -> float:
    """Return how long to wait for an answer that comes, and for one that does not."""
    return PATIENCE if act in SILENT else 5.0


async def suffers(act: str, asking: "asyncio.Future[Got] | asyncio.Task[Got]") -> None:
    if act in BROKEN:
        with pytest.raises(DISCONNECTED):
            await asking
    elif act in CUT:
        with pytest.raises(aiohttp.ClientPayloadError):
            await asking
    elif act in ANSWERED:
        got = await asking
        looks_like(act, got.status, got.headers, got.body)
    else:
        with pytest.raises(TimeoutError):
            await asking


@pytest.mark.parametrize("act", COMMON)
async def test_a_submit_with_a_fault(session: aiohttp.ClientSession, act: str) -> None:
    async with Emulator(faults={f"submit_{act}": 1.0}) as emulator:
        await suffers(act, asyncio.ensure_future(submit(session, emulator, patience(act))))
        ledger = emulator.ledger()
    assert ledger.faults == {f"submit_{act}": 1}
    assert ledger.accepted == ledger.accepted_unheard == int(is_after(act))


@pytest.mark.parametrize("act", COMMON)
async def test_a_check_with_a_fault(session: aiohttp.ClientSession, act: str) -> None:
    async with Emulator(faults={f"check_{act}": 1.0}, service=AT_ONCE) as emulator:
        task_id = await task(session, emulator)
        await suffers(act, asyncio.ensure_future(check(session, emulator, task_id, patience(act))))
        ledger = emulator.ledger()
    assert ledger.faults == {f"check_{act}": 1}
    assert (ledger.requests["check"], ledger.finished_seen) == (1, 0)


@pytest.mark.parametrize(
    ("act", "wrong"),
    [
        ("unknown_state", {"state": "finalizing"}),
        ("no_result", {"resultJson": None}),
        ("empty_result", {"resultJson": '{"resultUrls": []}'}),
        ("bad_result", {"resultJson": '{"resultUrls": ['}),
        ("times_missing", {"createTime": None, "completeTime": None, "costTime": None}),
    ],
)
async def test_a_status_with_a_fault(
    session: aiohttp.ClientSession, act: str, wrong: Mapping[str, object]
) -> None:
    async with Emulator(faults={f"check_{act}": 1.0}, service=AT_ONCE) as emulator:
        task_id = await task(session, emulator)
        data = json.loads((await check(session, emulator, task_id)).body)["data"]
    assert data["taskId"] == task_id
    assert {name: data.get(name) for name in wrong} == wrong


async def test_times_run_backwards(session: aiohttp.ClientSession) -> None:
    async with Emulator(faults={"check_times_reversed": 1.0}, service=AT_ONCE) as emulator:
        task_id = await task(session, emulator)
        data = json.loads((await check(session, emulator, task_id)).body)["data"]
    assert data["completeTime"] < data["createTime"]


@pytest.mark.parametrize("fault", ["check_404", "check_forgotten", "submit_forgotten"])
async def test_a_task_is_not_found(session: aiohttp.ClientSession, fault: str) -> None:
    async with Emulator(faults={fault: 1.0}) as emulator:
        got = await check(session, emulator, await task(session, emulator))
    assert (got.status, json.loads(got.body)["message"]) == (404, "Task not found")


@pytest.mark.parametrize("kind", ["submit", "check"])
async def test_a_slow_answer_comes_late_and_true(session: aiohttp.ClientSession, kind: str) -> None:
    loop = asyncio.get_running_loop()
    faults = {f"{kind}_slow": 1.0}
    async with Emulator(faults=faults, slow_seconds=0.1, service=AT_ONCE) as emulator:
        began = loop.time()
        got = await check(session, emulator, await task(session, emulator))
        assert loop.time() - began >= 0.1
    assert json.loads(got.body)["data"]["state"] == "success"


@pytest.mark.parametrize("act", ["silent", "silent_after"])
async def test_a_silent_connection_stays_open_and_leaves_no_task(
    session: aiohttp.ClientSession, act: str
) -> None:
    loop = asyncio.get_running_loop()
    async with Emulator(faults={f"balance_{act}": 1.0}) as emulator:
        port = int(emulator.url.rpartition(":")[2])
        before = asyncio.all_tasks()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"GET {BALANCE} HTTP/1.1\r\nHost: x\r\nAuthorization: {KEY}\r\n\r\n"
        writer.write(head.encode())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await reader.read(1)
        assert emulator.ledger().faults == {f"balance_{act}": 1}
        assert not reader.at_eof()
        # aiohttp has one task a connection, which only waits for the next request.
        assert len(asyncio.all_tasks() - before) == 1
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(5):
            while asyncio.all_tasks() - before:
                await asyncio.sleep(0)
        left = asyncio.ensure_future(request(session, "GET", emulator.url + BALANCE))
        while emulator.ledger().requests["balance"] < 2:
            await asyncio.sleep(0)
        ending = loop.time()
    # The emulator's end is the end of every silence, and it waits for none.
    with pytest.raises(DISCONNECTED):
        await left
    assert loop.time() - ending < 0.5


async def picture(session: aiohttp.ClientSession, emulator: Emulator) -> str:
    got = await check(session, emulator, await task(session, emulator))
    return str(json.loads(json.loads(got.body)["data"]["resultJson"])["resultUrls"][0])


@pytest.mark.parametrize("act", ["502_html", "429", "404", "wrong_content", "reset", "silent"])
async def test_a_download_with_a_fault(session: aiohttp.ClientSession, act: str) -> None:
    async with Emulator(faults={f"download_{act}": 1.0}, service=AT_ONCE) as emulator:
        asking = request(session, "GET", await picture(session, emulator), patience(act))
        if act == "404":
            assert (await asking).status == 404
        else:
            await suffers(act, asyncio.ensure_future(asking))
        ledger = emulator.ledger()
    assert (ledger.downloads, ledger.faults) == (0, {f"download_{act}": 1})


async def test_a_download_is_cut_in_the_middle(session: aiohttp.ClientSession) -> None:
    async with Emulator(faults={"download_cut": 1.0}, service=AT_ONCE) as emulator:
        url = await picture(session, emulator)
        async with session.get(url) as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")
            announced = answer.content_length
            assert announced is not None
            half = await answer.content.readexactly(announced // 2)
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.content.read()
    assert half.startswith(b"\x89PNG")


async def test_a_redirected_download_leads_to_the_picture(session: aiohttp.ClientSession) -> None:
    async with Emulator(faults={"download_307": 0.5}, service=AT_ONCE, seed=3) as emulator:
        url = await picture(session, emulator)
        async with session.get(url, max_redirects=100) as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")
        assert emulator.ledger().faults["download_307"] >= 1


async def test_every_answer_has_one_date_of_the_servers_clock(
    session: aiohttp.ClientSession,
) -> None:
    async with Emulator(clock_offset=-3_600.0, service=AT_ONCE) as emulator:
        wrong = await request(session, "GET", emulator.url + "/elsewhere")
        drawn = await request(session, "GET", await picture(session, emulator))
        fresh = await request(session, "GET", emulator.url + BALANCE)
        truth = await _true_date()
    for got in (wrong, drawn, fresh):
        behind = truth - parsedate_to_datetime(got.headers["date"]).timestamp()
        assert behind == pytest.approx(3_600, abs=5)


async def _true_date() -> float:
    async with Emulator() as emulator, aiohttp.request("GET", emulator.url) as answer:
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
