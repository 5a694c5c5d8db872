"""A client with webhooks on the emulator's core, to which a test delivers by hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import define

from nanobanana_async import NanoBananaClient, Webhooks
from nanobanana_async._wire import NoAnswerError, Reply
from nanobanana_async.emulator import Stuck
from tests.emulated import EPOCH, Answer, Wire, emulated, envelope

HOOKS = Webhooks(public_url="http://127.0.0.1:1/hooks", secret="a secret of the tests")
URL = "https://pictures.example/cat.png"


def unix_time() -> float:
    """A wall clock that goes with the loop's."""
    return EPOCH + asyncio.get_running_loop().time()


def told(task_id: str, state: str = "success", **more: Any) -> bytes:
    """The body of a delivery."""
    data = {"taskId": task_id, "state": state, **more}
    if state == "success":
        data.setdefault("resultJson", json.dumps({"resultUrls": [URL]}))
    return json.dumps({"code": 200, "message": "ok", "data": data}).encode()


@define
class Service:
    """A client with webhooks, and the API that it talks to."""

    client: NanoBananaClient
    wire: Wire

    def token(self, submit: int = 0) -> str:
        """The token that went out with this submit."""
        bodies = [json.loads(call.body) for _, call in self.wire.calls if call.body]
        assert bodies[submit]["request_type"] == "callback"
        url, _, token = str(bodies[submit]["callback_url"]).rpartition("/")
        assert url == HOOKS.public_url
        return token

    async def deliver(self, body: bytes, submit: int = 0) -> int:
        return await self.client.webhooks.deliver(body, self.token(submit))

    @property
    def looks(self) -> int:
        return self.wire.sent("GET")


@asynccontextmanager
async def service(webhooks: Webhooks = HOOKS, **options: Any) -> AsyncIterator[Service]:
    settings = {"service": options.pop("service", Stuck(3_600.0))}
    client = {"webhooks": webhooks, "base_url": "http://127.0.0.1:1", **options}
    async with emulated(client=client, **settings) as (opened, wire):
        yield Service(opened, wire)


def accepts(*ids: str) -> Any:
    """Answers submits with these ids, in turn."""
    left = iter(ids)

    def answer(call: Any) -> Answer:
        return envelope(200, data={"taskId": next(left)}) if call.method == "POST" else None

    return answer


def held(reply: "asyncio.Future[Reply]") -> Any:
    return lambda call: reply if call.method == "POST" else None


def loses(call: Any) -> Answer:
    return NoAnswerError("lost") if call.method == "POST" else None
