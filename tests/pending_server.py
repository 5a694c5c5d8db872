"""A server behind the `Transport` protocol that answers nothing before a test says how.

A test names what becomes of each request, in any order: accepted, accepted with its answer lost,
refused, never sent. What a name means is written down here by the vendor's documents, apart from
the library's codec: both would share a mistake otherwise.
"""

import asyncio
import json
from collections.abc import Callable
from enum import Enum, auto
from math import inf
from typing import Final, TypeAlias

from attrs import define, field, frozen

from nanobanana_async._wire import Call, NoAnswerError, NotSentError, Reply
from tests.emulated import envelope

__all__ = ["BALANCES", "LOOKS", "LOST", "SUBMITS", "Fate", "Means", "PendingServer", "Request"]

WINDOW: Final = 60.0
LOST: Final = "lost"
"""The fate of a request whose time is over, or that was cut off; a submit then was accepted."""


class Means(Enum):
    """What a client that hears such an answer knows."""

    ACCEPTED = auto()
    NOT_NOW = auto()
    WRONG_KEY = auto()
    REFUSED = auto()
    UNKNOWN = auto()
    UNFINISHED = auto()
    SUCCESS = auto()
    FAILED = auto()
    UNREADABLE = auto()
    MISSING = auto()
    FORBIDDEN = auto()
    NOTHING = auto()


Answering: TypeAlias = Callable[[str], Reply | Exception]
"""Builds an answer about a task of that id; an exception is raised in place of an answer."""


@frozen
class Fate:
    """What becomes of a request."""

    means: Means
    answer: Answering
    accepted: bool = False
    """True where the server accepted the submit, heard or not."""
    reached: bool = True
    """False where the request never left, so that no server counts it."""


def _page(status: int) -> Answering:
    return lambda _: Reply(status, {"content-type": "text/html"}, b"<html>gateway</html>")


def _refusal(code: int, *, status: int | None = None, after: str | None = None) -> Answering:
    reply = envelope(code, status=status, message="no")
    headers = {} if after is None else {"retry-after": after}
    return lambda _: Reply(reply.status, headers, reply.body)


def _good(data: object) -> Answering:
    return lambda _: envelope(200, data=data)


def _no_answer(_: str) -> NoAnswerError:
    return NoAnswerError("reset")


def _never_left(_: str) -> NotSentError:
    return NotSentError("refused")


def _accepting(task_id: str) -> Reply:
    return envelope(200, data={"taskId": task_id})


def _state(state: str, **fields: str) -> Answering:
    return lambda task_id: envelope(200, data={"taskId": task_id, "state": state} | fields)


_URLS: Final = json.dumps({"resultUrls": ["https://pictures.invalid/1.png"]})
_NOT_SENT: Final = Fate(Means.NOT_NOW, _never_left, reached=False)

SUBMITS: Final[dict[str, Fate]] = {
    "accepted": Fate(Means.ACCEPTED, _accepting, accepted=True),
    LOST: Fate(Means.UNKNOWN, _no_answer, accepted=True),
    "accepted, 502": Fate(Means.UNKNOWN, _page(502), accepted=True),
    "accepted, 408": Fate(Means.UNKNOWN, _page(408), accepted=True),
    "accepted, code 500": Fate(Means.UNKNOWN, _refusal(500), accepted=True),
    "accepted, codes differ": Fate(Means.UNKNOWN, _refusal(400, status=503), accepted=True),
    "accepted, unreadable": Fate(Means.UNKNOWN, _page(200), accepted=True),
    "accepted, no id": Fate(Means.UNKNOWN, _good({"id": 1}), accepted=True),
    "reset": Fate(Means.UNKNOWN, _no_answer),
    "503 page": Fate(Means.UNKNOWN, _page(503)),
    "400": Fate(Means.REFUSED, _refusal(400)),
    "code 400": Fate(Means.REFUSED, _refusal(400, status=200)),
    "402": Fate(Means.REFUSED, _refusal(402)),
    "403": Fate(Means.REFUSED, _refusal(403)),
    "404 page": Fate(Means.REFUSED, _page(404)),
    "401": Fate(Means.WRONG_KEY, _refusal(401)),
    "429": Fate(Means.NOT_NOW, _refusal(429)),
    "429, later": Fate(Means.NOT_NOW, _refusal(429, after="7")),
    "503": Fate(Means.NOT_NOW, _refusal(503)),
    "not sent": _NOT_SENT,
}

LOOKS: Final[dict[str, Fate]] = {
    "processing": Fate(Means.UNFINISHED, _state("processing")),
    "success": Fate(Means.SUCCESS, _state("success", resultJson=_URLS)),
    "failed": Fate(Means.FAILED, _state("failed", failCode="GENERATION_FAILED")),
    "no credit": Fate(Means.FAILED, _state("failed", failCode="INSUFFICIENT_CREDITS")),
    "strange": Fate(Means.UNFINISHED, _state("dreaming")),
    "no urls": Fate(Means.UNREADABLE, _state("success")),
    "404": Fate(Means.MISSING, _refusal(404)),
    "403": Fate(Means.FORBIDDEN, _refusal(403)),
    "401": Fate(Means.WRONG_KEY, _refusal(401)),
    "404 page": Fate(Means.NOTHING, _page(404)),
    "500": Fate(Means.NOTHING, _refusal(500)),
    "502 page": Fate(Means.NOTHING, _page(502)),
    "429": Fate(Means.NOTHING, _refusal(429)),
    "another's": Fate(Means.NOTHING, _good({"taskId": "another", "state": "success"})),
    LOST: Fate(Means.NOTHING, _no_answer),
    "not sent": _NOT_SENT,
}

BALANCES: Final[dict[str, Fate]] = {
    "good": Fate(Means.SUCCESS, _good({"balance": 7})),
    "401": Fate(Means.WRONG_KEY, _refusal(401)),
    "429": Fate(Means.NOTHING, _refusal(429)),
    "500": Fate(Means.NOTHING, _refusal(500)),
    "503": Fate(Means.NOTHING, _refusal(503)),
    LOST: Fate(Means.NOTHING, _no_answer),
    "not sent": _NOT_SENT,
}


@define(eq=False)
class Request:
    """One request, from when it left until its answer was heard."""

    call: Call
    sent_at: float
    fate: asyncio.Future[str]
    over_at: float = inf
    cut_off_at: float = inf
    """When the client itself gave up waiting for the answer."""
    reached: bool = True

    @property
    def table(self) -> dict[str, Fate]:
        """What may become of it, by name."""
        if self.call.method == "POST":
            return SUBMITS
        return LOOKS if self.task_id else BALANCES

    @property
    def prompt(self) -> str:
        return str(json.loads(self.call.body or b"{}")["input"]["prompt"])

    @property
    def task_id(self) -> str:
        return (self.call.query or {}).get("taskId", "")


def _nothing(_: Request) -> None:
    pass


def _no_id(_: Request, __: Fate) -> str:
    return ""


@define
class PendingServer:
    """Keeps each request until `answer` tells its fate, or until its time is over."""

    arrived: Callable[[Request], None] = _nothing
    """Told of each request as it comes."""
    ended: Callable[[Request, Fate], str] = _no_id
    """Told as the client hears its answer; returns the id of the task that the answer is about."""
    requests: list[Request] = field(factory=list)
    """The open ones, and those that a window of the last 60 s may count."""
    closed: bool = False

    @property
    def open(self) -> list[Request]:
        """Requests that wait for an answer."""
        return [one for one in self.requests if one.over_at == inf and not one.fate.done()]

    @property
    def submits(self) -> list[Request]:
        """Submits whose answer was not heard yet."""
        return [one for one in self.requests if one.over_at == inf and one.table is SUBMITS]

    def answer(self, request: Request, fate: str) -> None:
        if not request.fate.done():
            request.fate.set_result(fate)

    def counted(self, now: float) -> int:
        """Return how many requests the fullest minute that ends now may hold.

        The server may count a request at any time between its sending and its answer.
        """
        self.requests = [one for one in self.requests if one.over_at > now - WINDOW]
        return sum(one.reached for one in self.requests)

    async def send(self, call: Call, timeout: float) -> Reply:
        loop = asyncio.get_running_loop()
        request = Request(call, loop.time(), loop.create_future())
        self.requests.append(request)
        self.arrived(request)
        name = LOST
        try:
            async with asyncio.timeout(timeout):
                name = await request.fate
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            request.cut_off_at = loop.time()
            raise
        finally:
            answer = self._conclude(request, request.table[name], loop.time())
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.closed = True

    def _conclude(self, request: Request, fate: Fate, now: float) -> Reply | Exception:
        request.over_at, request.reached = now, fate.reached
        return fate.answer(self.ended(request, fate))
