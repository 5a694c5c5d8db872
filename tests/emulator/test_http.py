"""The HTTP front over real sockets, with aiohttp's own client."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from PIL import Image

from nanobanana_async.emulator import Emulator, LogNormal

from .driver import KEY, body

SUBMIT = "/api/v1/generateTask/nano-banana-2"
CHECK = "/api/v1/statusTask/nano-banana-2"
HEADERS = {"Authorization": KEY}
AT_ONCE = LogNormal(0.001, 0.0)
DISCONNECTED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        yield session


async def submit(session: aiohttp.ClientSession, url: str, document: Any = None) -> Any:
    async with session.post(url + SUBMIT, json=document or body()) as answer:
        assert answer.content_type == "application/json"
        return await answer.json()


async def finished(session: aiohttp.ClientSession, url: str, task_id: str) -> dict[str, Any]:
    """Look until the task is finished; every look is a round trip, so nothing spins."""
    while True:
        async with session.get(url + CHECK, params={"taskId": task_id}) as answer:
            data: dict[str, Any] = (await answer.json())["data"]
        if data["state"] in {"success", "failed"}:
            return data


async def test_from_a_prompt_to_a_picture(session: aiohttp.ClientSession) -> None:
    async with Emulator(service=AT_ONCE, pictures=2) as emulator:
        document = body("a fox", aspect_ratio="16:9", output_format="jpg")
        task_id = (await submit(session, emulator.url, document))["data"]["taskId"]
        data = await finished(session, emulator.url, task_id)
        urls = json.loads(data["resultJson"])["resultUrls"]
        assert urls == [f"{emulator.url}/pictures/{task_id}/{n}.jpeg" for n in (1, 2)]
        async with aiohttp.request("GET", urls[1]) as answer:
            assert (answer.status, answer.content_type) == (200, "image/jpeg")
            image = Image.open(BytesIO(await answer.read()))
        assert (image.size, image.format) == ((256, 144), "JPEG")
    ledger = emulator.ledger()
    assert (ledger.accepted, ledger.finished_seen, ledger.downloads) == (1, 1, 1)
    assert ledger.keys_leaked == 0


async def test_a_full_size_picture(session: aiohttp.ClientSession) -> None:
    async with Emulator(service=AT_ONCE, full_size=True) as emulator:
        task_id = (await submit(session, emulator.url))["data"]["taskId"]
        await finished(session, emulator.url, task_id)
        async with session.get(f"{emulator.url}/pictures/{task_id}/1.png") as answer:
            image = Image.open(BytesIO(await answer.read()))
    assert (image.size, image.format) == ((1_024, 1_024), "PNG")
    assert emulator.ledger().keys_leaked == 1


async def test_the_balance(session: aiohttp.ClientSession) -> None:
    async with (
        Emulator(balance=12.34) as emulator,
        session.get(f"{emulator.url}/api/v1/apikeys/current-balance") as answer,
    ):
        envelope = await answer.json()
    assert envelope == {"code": 200, "message": "success", "data": {"balance": 12.34}}


async def test_errors_keep_their_status_and_form(session: aiohttp.ClientSession) -> None:
    async with Emulator() as emulator:
        async with session.post(emulator.url + SUBMIT, data=b"{") as answer:
            assert answer.status == 400
            assert (await answer.json())["data"] == {"error": "body: a JSON object"}
        async with session.get(emulator.url + "/elsewhere") as answer:
            assert (answer.status, await answer.text()) == (404, "404: Not Found")
        async with session.get(emulator.url + SUBMIT) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        async with aiohttp.request("GET", emulator.url + CHECK) as answer:
            assert (await answer.json())["code"] == 401


async def test_a_long_prompt_fits_through(session: aiohttp.ClientSession) -> None:
    async with Emulator() as emulator:
        assert (await submit(session, emulator.url, body("🐈" * 20_000)))["code"] == 200


@pytest.mark.parametrize(("fault", "accepted"), [("submit_reset", 0), ("submit_lost", 1)])
async def test_a_reset_is_seen_as_a_disconnect(
    session: aiohttp.ClientSession, fault: str, accepted: int
) -> None:
    async with Emulator(faults={fault: 1.0}) as emulator:
        with pytest.raises(DISCONNECTED):
            await submit(session, emulator.url)
        ledger = emulator.ledger()
    assert (ledger.accepted, ledger.faults) == (accepted, {fault: 1})


async def test_a_proxys_page_has_no_envelope(session: aiohttp.ClientSession) -> None:
    async with (
        Emulator(faults={"check_503_html": 1.0}) as emulator,
        session.get(emulator.url + CHECK) as answer,
    ):
        assert (answer.status, answer.content_type) == (503, "text/html")


async def test_latency_delays_every_answer(session: aiohttp.ClientSession) -> None:
    loop = asyncio.get_running_loop()
    async with Emulator(latency=0.05) as emulator:
        began = loop.time()
        await submit(session, emulator.url)
        assert loop.time() - began >= 0.05


async def test_a_client_that_leaves_early_harms_nothing(session: aiohttp.ClientSession) -> None:
    async with Emulator(latency=0.02, faults={"submit_reset": 1.0}) as emulator:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await submit(session, emulator.url)
        async with session.get(emulator.url + CHECK) as answer:
            assert answer.status == 400


async def test_many_connections_at_once() -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        Emulator() as emulator,
        aiohttp.ClientSession(headers=HEADERS, connector=connector) as session,
    ):
        answers = await asyncio.gather(*(submit(session, emulator.url) for _ in range(200)))
        assert {answer["code"] for answer in answers} == {200}
        assert emulator.ledger().most_tasks == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "example.com", ""])  # noqa: S104
def test_it_serves_loopback_only(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        Emulator(host=host)


async def test_a_given_port_is_used_and_freed_again() -> None:
    async with Emulator() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            await Emulator(port=port).__aenter__()
    async with Emulator(port=port) as again:
        assert again.url == first.url


async def test_nothing_is_left_behind(session: aiohttp.ClientSession) -> None:
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    async with Emulator(service=AT_ONCE) as emulator:
        document = body() | {"request_type": "callback", "callback_url": "https://127.0.0.1:9/"}
        task_id = (await submit(session, emulator.url, document))["data"]["taskId"]
        await finished(session, emulator.url, task_id)
        async with session.get(f"{emulator.url}/pictures/{task_id}/1.png") as answer:
            await answer.read()
        assert asyncio.all_tasks() > tasks
        assert set(threading.enumerate()) > threads
    assert asyncio.all_tasks() == tasks
    assert set(threading.enumerate()) == threads
    with pytest.raises(aiohttp.ClientConnectionError):
        await submit(session, emulator.url)
