"""What is made of a true answer, or sent in its place."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

from nanobanana_async.emulator import _envelope
from nanobanana_async.emulator._wire import Answer, Cut, Outcome, Picture, Request

Spoil: TypeAlias = Callable[[Request, Answer | Picture], Outcome | None]
"""Takes the request and its true answer, and gives what the client gets. None: this cannot be done
to this answer, so nothing goes wrong."""

HUGE: Final = 10 * 1024 * 1024

_PADDING: Final = (b',"padding":"', b'"}')


def instead(outcome: Outcome) -> Spoil:
    """Send this, whatever the answer would be."""
    return lambda _, __: outcome


def if_good(outcome: Outcome) -> Spoil:
    """Send this in the place of an answer 200."""
    return lambda _, true: outcome if isinstance(true, Answer) and true.status == 200 else None  # noqa: PLR2004 - as the API has it


def nothing(_: Request, true: Answer | Picture) -> Outcome:
    """Leave the answer as it is."""
    return true


def good_only(request: Request, true: Answer | Picture) -> Outcome | None:
    """Leave an answer 200 as it is; nothing can be done to others."""
    return if_good(true)(request, true)


def redirect(request: Request, _: Answer | Picture) -> Outcome:
    """Send the client to the same endpoint under another URL: who follows, asks twice."""
    query = urlencode({**request.query, "again": "1"})
    return _envelope.plain(
        307, "307: Temporary Redirect", location=f"{quote(request.path)}?{query}"
    )


def cut(_: Request, true: Answer | Picture) -> Outcome:
    """Let the connection end in the middle of the body."""
    return Cut(true)


def changed(change: Callable[[Answer], Answer]) -> Spoil:
    """Change an answer of the API."""
    return lambda _, true: change(true) if isinstance(true, Answer) else None


def truncated(answer: Answer) -> Answer:
    """Leave the first half of the body; its length is announced as what it is."""
    return _with_body(answer, answer.body[: len(answer.body) // 2])


def wrong_shape(answer: Answer) -> Answer:
    """Put `data` into a list, where an object belongs."""
    document = json.loads(answer.body)
    return _with_body(answer, _envelope.compact(document | {"data": [document["data"]]}).encode())


def huge(answer: Answer) -> Answer:
    """Blow the envelope up to 10 MiB; what it says stays true."""
    before, after = _PADDING
    head = answer.body[:-1] + before
    return _with_body(answer, head.ljust(HUGE - len(after), b"x") + after)


def _with_body(answer: Answer, body: bytes) -> Answer:
    return Answer(answer.status, body, answer.headers)


Status: TypeAlias = Mapping[str, Any]


def of_status(change: Callable[[Status], Status | None]) -> Spoil:
    """Change the data of a status answer; None: it has not what is to be changed."""

    def spoil(_: Request, true: Answer | Picture) -> Outcome | None:
        if not isinstance(true, Answer) or true.status != 200:  # noqa: PLR2004 - as above
            return None
        data = change(json.loads(true.body)["data"])
        return None if data is None else _envelope.good(data)

    return spoil


def unknown_state(data: Status) -> Status:
    """Name a state that no page documents; the task is not finished in it."""
    return {"taskId": data["taskId"], "state": "finalizing", "createTime": data["createTime"]}


def no_result(data: Status) -> Status | None:
    """Leave a success without its result."""
    return _without(data, "resultJson") if "resultJson" in data else None


def result(text: str) -> Callable[[Status], Status | None]:
    """Give a success this for its result."""
    return lambda data: {**data, "resultJson": text} if "resultJson" in data else None


def times_missing(data: Status) -> Status:
    """Leave out every time."""
    return _without(data, "createTime", "completeTime", "costTime")


def times_reversed(data: Status) -> Status | None:
    """Let a task end before it began."""
    if "completeTime" not in data:
        return None
    return {**data, "completeTime": data["createTime"] - 1_000}


def _without(data: Status, *names: str) -> Status:
    return {name: value for name, value in data.items() if name not in names}
