"""What can go wrong with a request, as one table: a further way is one entry.

An act happens before the request is worked on, or after: then a submit is accepted, and the client
does not hear of it. Most acts come in both forms, the second one with `_after` to its name. Made
before, an act that changes an answer changes one that says nothing.
"""

from collections.abc import Collection, Iterator, Mapping
from http import HTTPStatus
from typing import Final, Literal, TypeAlias

from attrs import evolve, frozen

from nanobanana_async.emulator import _envelope, _spoils
from nanobanana_async.emulator._routes import Kind
from nanobanana_async.emulator._spoils import Spoil, changed, instead, of_status
from nanobanana_async.emulator._wire import Answer, Reset, Silence

Work: TypeAlias = Literal["none", "unheard", "heard"]

API: Final[tuple[Kind, ...]] = ("submit", "check", "balance")
ALL: Final[tuple[Kind, ...]] = (*API, "download")
_SUBMIT: Final[tuple[Kind, ...]] = ("submit",)
_CHECK: Final[tuple[Kind, ...]] = ("check",)
_DOWNLOAD: Final[tuple[Kind, ...]] = ("download",)


@frozen
class Act:
    """One way to go wrong."""

    name: str
    kinds: Collection[Kind]
    """The requests to which it can happen."""
    spoil: Spoil
    work: Work = "none"
    """What becomes of the request: it is not worked on; it is, and the true answer is not sent; or
    it is, and what is sent tells of it."""
    slow: bool = False
    """The answer leaves `Settings.slow_seconds` later."""
    forgets: bool = False
    """The task of the answer is not known any more afterwards."""
    refuses: bool = False
    """It counts among the ledger's answers 429."""


def _both(name: str, spoil: Spoil, before: Collection[Kind] = ALL) -> tuple[Act, Act]:
    """The same before and after the work; for downloads the second form would say nothing new."""
    return Act(name, before, spoil), Act(f"{name}_after", API, spoil, "unheard")


_TITLES: Final[Mapping[int, str]] = {
    **{status: HTTPStatus(status).phrase for status in (408, 500, 502, 503, 504)},
    520: "Web Server Returned an Unknown Error",
}


def _dresses(status: int, title: str) -> Iterator[tuple[str, Answer]]:
    """The same status as the API, another service, a proxy and a load balancer send it."""
    yield f"{status}", _envelope.refusal(status, title)
    yield f"{status}_json", _envelope.foreign(status, title)
    yield f"{status}_html", _envelope.proxy_page(status, title)
    yield f"{status}_empty", _envelope.plain(status, "")


def _statuses() -> Iterator[Act]:
    for status, title in _TITLES.items():
        for name, answer in _dresses(status, title):
            before, after = _both(name, instead(answer))
            yield before
            # By this answer the API itself says that it has not taken the request.
            if name != "503":
                yield after


def _code_in_200(code: int, message: str) -> Act:
    answer = instead(evolve(_envelope.refusal(code, message), status=200))
    return Act(f"200_code_{code}", API, answer, refuses=code == HTTPStatus.TOO_MANY_REQUESTS)


_FAILED_IN_200: Final = _code_in_200(500, "Internal server error")

ACTS: Final[tuple[Act, ...]] = (
    Act("reset", ALL, instead(Reset())),
    Act("lost", ALL, instead(Reset()), "unheard"),
    Act("429", ALL, instead(_envelope.TOO_MANY), refuses=True),
    Act("429_retry_after", ALL, instead(_envelope.TOO_MANY_YET), refuses=True),
    *_statuses(),
    *_both("307", _spoils.redirect),
    _FAILED_IN_200,
    evolve(_FAILED_IN_200, name="200_code_500_after", work="unheard"),
    _code_in_200(400, "Invalid parameters"),
    _code_in_200(429, "Rate limit exceeded"),
    _code_in_200(503, "Service temporarily unavailable"),
    *_both("truncated", changed(_spoils.truncated), API),
    *_both("wrong_shape", changed(_spoils.wrong_shape), API),
    *_both("huge", changed(_spoils.huge), API),
    *_both("cut", _spoils.cut, API),
    Act("cut", _DOWNLOAD, _spoils.cut, "unheard"),
    *_both("wrong_content", instead(_envelope.proxy_page(200, "Welcome"))),
    Act("slow", ALL, _spoils.nothing, "heard", slow=True),
    *_both("silent", instead(Silence())),
    Act("404", _CHECK, instead(_envelope.TASK_NOT_FOUND)),
    Act("404", _DOWNLOAD, instead(_envelope.proxy_page(404, "Not Found"))),
    Act("forgotten", _SUBMIT, _spoils.good_only, "heard", forgets=True),
    Act("forgotten", _CHECK, _spoils.if_good(_envelope.TASK_NOT_FOUND), "unheard", forgets=True),
    Act("unknown_state", _CHECK, of_status(_spoils.unknown_state), "unheard"),
    Act("no_result", _CHECK, of_status(_spoils.no_result), "heard"),
    Act("empty_result", _CHECK, of_status(_spoils.result('{"resultUrls": []}')), "heard"),
    Act("bad_result", _CHECK, of_status(_spoils.result('{"resultUrls": [')), "heard"),
    Act("times_missing", _CHECK, of_status(_spoils.times_missing), "heard"),
    Act("times_reversed", _CHECK, of_status(_spoils.times_reversed), "heard"),
)
