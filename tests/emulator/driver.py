"""Drives a core without a front: times are what the test says they are."""

import json
from typing import Any, Unpack

from hypothesis import settings

from nanobanana_async.emulator import Answer, EmulatorCore, LogNormal, Request, Settings
from nanobanana_async.emulator._settings import SettingsKeywords
from nanobanana_async.emulator._task import Life
from nanobanana_async.emulator._wire import Outcome

EPOCH = 1_700_000_000.0
KEY = "Bearer sk-emulator"
# The same examples in each run, however busy the machine is.
steady = settings(deadline=None, derandomize=True)
EXACTLY_10_S = LogNormal(10.0, 0.0)


def body(prompt: str = "a cat", **changes: Any) -> dict[str, Any]:
    """Return a valid submit; a change to None leaves the field of `input` out."""
    fields = {
        "mode": "text-to-image",
        "prompt": prompt,
        "aspect_ratio": "1:1",
        "resolution": "1K",
    } | changes
    return {"input": {name: value for name, value in fields.items() if value is not None}}


HOOK = "https://example.com/hook?secret=1"


def callback_body(prompt: str = "a cat") -> dict[str, Any]:
    """Return a valid submit that asks for a callback."""
    return body(prompt) | {"request_type": "callback", "callback_url": HOOK}


class Account:
    """A core and what a client sends it."""

    def __init__(self, **keywords: Unpack[SettingsKeywords]) -> None:
        self.core = EmulatorCore(Settings(**keywords), epoch=EPOCH)
        self.delay = 0.0
        """Of the last answer."""

    def send(
        self,
        now: float,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        content: bytes = b"",
    ) -> Outcome:
        headers = {"authorization": KEY} if headers is None else headers
        request = Request(method, path, query or {}, headers, content)
        self.delay, outcome = self.core.handle(now, request)
        return outcome

    def submit(self, now: float, document: Any = None, *, model: str = "nano-banana-2") -> Outcome:
        content = json.dumps(body() if document is None else document).encode()
        return self.send(now, "POST", f"/api/v1/generateTask/{model}", content=content)

    def accepted(self, now: float, document: Any = None, *, model: str = "nano-banana-2") -> str:
        """Submit and return the task's id."""
        data = envelope(self.submit(now, document, model=model), 200)["data"]
        assert list(data) == ["taskId"]
        return str(data["taskId"])

    def check(self, now: float, task_id: str, *, model: str = "nano-banana-2") -> Outcome:
        path = f"/api/v1/statusTask/{model}"
        return self.send(now, "GET", path, query={"taskId": task_id})

    def status(self, now: float, task_id: str, *, model: str = "nano-banana-2") -> dict[str, Any]:
        """Check and return the status data."""
        data: dict[str, Any] = envelope(self.check(now, task_id, model=model), 200)["data"]
        return data

    def balance(self, now: float) -> Outcome:
        return self.send(now, "GET", "/api/v1/apikeys/current-balance")

    def download(self, now: float, url: str, **headers: str) -> Outcome:
        return self.send(now, "GET", url.removeprefix("http://emulator.invalid"), headers=headers)


def life_of(account: Account, task_id: str) -> Life:
    task = account.core._tasks.find(task_id)
    assert task is not None
    return task.life


def envelope(outcome: Outcome, status: int) -> dict[str, Any]:
    """Return the parsed envelope of an answer with this status."""
    assert isinstance(outcome, Answer)
    assert outcome.status == status, outcome
    assert outcome.headers["content-type"] == "application/json"
    parsed: dict[str, Any] = json.loads(outcome.body)
    assert list(parsed) == ["code", "message", "data"]
    assert parsed["code"] == status
    return parsed


def result_urls(status: dict[str, Any]) -> list[str]:
    urls: list[str] = json.loads(status["resultJson"])["resultUrls"]
    return urls
