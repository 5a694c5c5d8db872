"""Models to request bodies, and answers to what they mean.

What an answer means hangs on two numbers, the HTTP status and the envelope's code, and on whether
they agree. An answer to a submit that is not certainly a refusal is never taken for one: it comes
out as `Broken`, because a submit sent again after it may be paid for twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NewType, TypeAlias, TypeVar

import attrs
from attrs import frozen

from nanobanana_async._errors import (
    APIStatusError,
    AuthenticationError,
    InsufficientBalanceError,
    InvalidRequestError,
    NanoBananaError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
)
from nanobanana_async._models import ImageRequest, TaskStatus
from nanobanana_async._service_times import ServiceClass
from nanobanana_async._specs import ModelSpec
from nanobanana_async._wire import LONGEST_BODY, Call, Reply

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = [
    "Accepted",
    "Answer",
    "BalanceAnswer",
    "Broken",
    "Busy",
    "Limited",
    "LookAnswer",
    "Refused",
    "Seen",
    "SubmitAnswer",
    "age_of",
    "balance_call",
    "read_balance",
    "read_delivery",
    "read_look",
    "read_submit",
    "request_from",
    "request_record",
    "status_call",
    "status_from",
    "submit_body",
    "submit_call",
    "tells_nothing",
    "with_callback",
]

_OK = 200
_UNAVAILABLE = 503
_TOO_MANY = 429
_SAME_CLOCK = 2.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REQUEST_DEFAULTS = attrs.asdict(ImageRequest(prompt=""))
for _left_out in ("key", "callback_url"):
    del _REQUEST_DEFAULTS[_left_out]


# What goes out


def submit_body(request: ImageRequest, spec: ModelSpec) -> bytes:
    """Return the JSON of a checked request.

    Aspect ratio and resolution are always sent: the newer of the vendor's pages requires them.
    """
    fields: dict[str, Any] = {
        "mode": _mode(request),
        "prompt": request.prompt,
        "aspect_ratio": request.aspect_ratio or spec.aspect_ratios[0],
        "output_format": request.output_format or spec.output_formats[0],
    }
    if spec.resolutions:
        fields["resolution"] = request.resolution or spec.resolutions[0]
    if request.image_urls:
        fields["image_urls"] = list(request.image_urls)
    if request.google_search:
        fields["google_search"] = True
    order = {
        "provider": request.provider or spec.providers[0],
        "input": fields | dict(request.extra),
    }
    body = _json(_POLLED | order)
    return with_callback(body, request.callback_url) if request.callback_url else body


def with_callback(body: bytes, url: str) -> bytes:
    """Return the body of a request that has no callback yet, with one.

    Each attempt has a URL of its own; the prompt, which may be long, is not encoded anew for it.
    """
    return _json({"request_type": "callback", "callback_url": url})[:-1] + body.removeprefix(_HEAD)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


_POLLED = {"request_type": "async"}
_HEAD = _json(_POLLED)[:-1]


def request_record(request: ImageRequest) -> dict[str, Any]:
    """Return the fields that were given, fit for JSON; `request_from` takes them back.

    Without `callback_url`, which may hold a secret, and `key`, which stands beside the record.
    """
    given = {
        name: getattr(request, name)
        for name, default in _REQUEST_DEFAULTS.items()
        if getattr(request, name) != default
    }
    if "image_urls" in given:
        given["image_urls"] = list(given["image_urls"])
    if "extra" in given:
        given["extra"] = dict(given["extra"])
    return given


def request_from(record: Mapping[str, Any], key: str | None) -> ImageRequest:
    """Return the request of a record, for which fields that a later version adds are nothing."""
    fields = {name: value for name, value in record.items() if name in _REQUEST_DEFAULTS}
    return ImageRequest(**{"prompt": ""} | fields, key=key)


def service_class(request: ImageRequest, spec: ModelSpec) -> ServiceClass:
    """Return what a checked request's service time depends on, defaults filled in."""
    resolution = (request.resolution or spec.resolutions[0]) if spec.resolutions else None
    return spec.name, _mode(request), resolution, request.provider or spec.providers[0]


def _mode(request: ImageRequest) -> str:
    return request.mode or ("image-to-image" if request.image_urls else "text-to-image")


def submit_call(model: str, body: bytes) -> Call:
    return Call("POST", f"generateTask/{model}", body=body)


def status_call(model: str, task_id: str) -> Call:
    return Call("GET", f"statusTask/{model}", query={"taskId": task_id})


def balance_call() -> Call:
    return Call("GET", "apikeys/current-balance")


# What comes back


@frozen
class Accepted:
    """The submit was accepted, and will be paid for."""

    task_id: str


@frozen
class Seen:
    """A good look at a task."""

    status: TaskStatus
    date: str = ""
    """The answer's Date header: what the server's clock said."""


@frozen
class Answer:
    """Any other good answer: its `data`, as parsed."""

    data: Any


@frozen
class Refused:
    """The API refuses this request and would refuse it again; nothing was accepted."""

    error: NanoBananaError


@frozen
class Limited:
    """429: not now. `retry_after` is in seconds, None where the API did not say."""

    retry_after: float | None


@frozen
class Busy:
    """503 in the API's own envelope: nothing was accepted, later it may be."""

    error: ServerError


@frozen
class Broken:
    """An answer that proves nothing: a submit may have been accepted."""

    error: NanoBananaError


Negative: TypeAlias = Refused | Limited | Busy | Broken
SubmitAnswer: TypeAlias = Accepted | Negative
LookAnswer: TypeAlias = Seen | Negative
BalanceAnswer: TypeAlias = Answer | Negative


def tells_nothing(answer: object) -> bool:
    """True for an answer that no working API gave: a 5xx, something unreadable, a strange 4xx.

    Not a refusal in the API's envelope, and not a 429: those say what the API thinks.
    """
    if isinstance(answer, Refused):
        return type(answer.error) is APIStatusError  # the 4xx without an envelope
    return isinstance(answer, Busy | Broken)


_Millis = NewType("_Millis", int)
_Text = NewType("_Text", str)
_Urls = NewType("_Urls", list[str])


@frozen(eq=False, repr=False)
class _Envelope:
    code: int
    message: str | None = None
    data: Any = None


@frozen(eq=False, repr=False)
class _Submitted:
    taskId: str  # noqa: N815 - the API's spelling


@frozen(eq=False, repr=False)
class _Task:
    taskId: str  # noqa: N815 - the API's spelling
    state: str
    resultJson: _Text | None = None  # noqa: N815
    failCode: _Text | None = None  # noqa: N815
    failMsg: _Text | None = None  # noqa: N815
    createTime: _Millis | None = None  # noqa: N815
    completeTime: _Millis | None = None  # noqa: N815
    costTime: _Millis | None = None  # noqa: N815


@frozen(eq=False, repr=False)
class _Pictures:
    resultUrls: _Urls  # noqa: N815 - the API's spelling


def _exactly(kind: type) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"not a {kind.__name__}: {value!r}")
        return value

    return structure


def _list_of_texts(value: Any, _: Any) -> Any:
    """A text is a sequence of texts, too, and an object one of its keys: neither is a list."""
    if type(value) is not list or not all(type(text) is str for text in value):
        raise TypeError("not a list of texts")
    return value


def _or_none(kind: type) -> Callable[[Any, Any], Any]:
    """What only informs must not spoil an answer: of a wrong type, it counts as missing."""
    return lambda value, _: value if type(value) is kind else None


@cache
def _converter() -> Converter:
    """Return what reads answers, made at the first one: who only imports us does not wait for it.

    cattrs would turn anything into a str or an int by calling the type; a server's answer is taken
    as it is or not at all.
    """
    from cattrs import Converter  # noqa: PLC0415 - see above

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _exactly(str))
    converter.register_structure_hook(int, _exactly(int))
    converter.register_structure_hook(str | None, _or_none(str))
    converter.register_structure_hook(_Urls, _list_of_texts)
    converter.register_structure_hook(_Text | None, _or_none(str))
    converter.register_structure_hook(_Millis | None, _or_none(int))
    return converter


_T = TypeVar("_T")


def _structured(data: Any, kind: type[_T]) -> _T | None:
    try:
        return _converter().structure(data, kind)
    except Exception:  # noqa: BLE001 - cattrs raises whatever its hooks meet; all of it means "no"
        return None


def _parsed(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def read_submit(reply: Reply, base_url: str) -> SubmitAnswer:
    """Tell what the answer to a submit means."""
    data = _data_of(reply, base_url)
    if not isinstance(data, Answer):
        return data
    submitted = _structured(data.data, _Submitted)
    if submitted is None or not submitted.taskId:
        return Broken(_status_error(APIStatusError, "The answer names no task", reply))
    return Accepted(submitted.taskId)


def read_look(reply: Reply, base_url: str, task_id: str) -> LookAnswer:
    """Tell what the answer to a status check of `task_id` means."""
    data = _data_of(reply, base_url)
    if not isinstance(data, Answer):
        return data
    task = _structured(data.data, _Task)
    if task is None or task.taskId != task_id:
        return Broken(_status_error(APIStatusError, "The answer is not about the task", reply))
    return Seen(_status_of(task, data.data), reply.headers.get("date", ""))


def status_from(data: Any) -> TaskStatus | None:
    """Return the status that the API gave as `data`; None where it is none."""
    task = _structured(data, _Task)
    return None if task is None else _status_of(task, data)


def read_delivery(body: bytes) -> TaskStatus | None:
    """Return what the body of a webhook's delivery tells; None where it is no good status."""
    envelope = _structured(_parsed(body), _Envelope)
    if envelope is None or envelope.code != _OK:
        return None
    status = status_from(envelope.data)
    return status if status is not None and status.task_id else None


def read_balance(reply: Reply, base_url: str) -> BalanceAnswer:
    """Tell what the answer to a balance query means; its shape is not documented."""
    return _data_of(reply, base_url)


def _data_of(reply: Reply, base_url: str) -> BalanceAnswer:
    parsed = _parsed(reply.body) if len(reply.body) <= LONGEST_BODY else None
    envelope = _structured(parsed, _Envelope)
    good = 200 <= reply.status < 300  # noqa: PLR2004 - HTTP's own classes
    # Two numbers that disagree prove nothing, but for 2xx: there the envelope's code is the answer.
    code = envelope.code if envelope and (good or envelope.code == reply.status) else None
    if good and envelope and code == _OK:
        return Answer(envelope.data)
    # A 429 whose envelope says 200 contradicts itself: the submit may have been accepted.
    if code == _TOO_MANY or (reply.status == _TOO_MANY and not (envelope and envelope.code == _OK)):
        return Limited(_retry_after(reply))
    if code == _UNAVAILABLE:
        return Busy(_status_error(ServerError, "The API is not available", reply, envelope))
    return _refusal(reply, envelope, code, base_url)


_REFUSALS: dict[int, tuple[type[NanoBananaError], str]] = {
    400: (InvalidRequestError, "The API refuses the request"),
    401: (AuthenticationError, "The API does not accept the key"),
    402: (InsufficientBalanceError, "The account's balance is too low"),
    403: (PermissionDeniedError, "The API refuses the content, or the key lacks a permission"),
    404: (NotFoundError, "The API knows no such model or task"),
}


def _refusal(
    reply: Reply, envelope: _Envelope | None, code: int | None, base_url: str
) -> Refused | Broken:
    if code in _REFUSALS:
        kind, text = _REFUSALS[code]
        return Refused(_status_error(kind, text, reply, envelope))
    # 408: a proxy gave up on a request that may have gone through. A 4xx in an envelope that the
    # vendor does not document (409, say) need not mean that nothing was accepted either.
    client_error = 400 <= reply.status < 500 and reply.status != 408  # noqa: PLR2004
    if client_error and envelope is None:
        text = f"{base_url} answers, but not as the API does"
        advice = "Check base_url (APIXO_BASE_URL)"
        return Refused(_status_error(APIStatusError, text, reply, advice=advice))
    kind = ServerError if (code or reply.status) >= 500 else APIStatusError  # noqa: PLR2004 - HTTP's own
    return Broken(_status_error(kind, "The answer is no answer of the API", reply, envelope))


_E = TypeVar("_E", bound=NanoBananaError)


def _status_error(
    kind: type[_E],
    text: str,
    reply: Reply,
    envelope: _Envelope | None = None,
    *,
    advice: str | None = None,
) -> _E:
    message = envelope.message if envelope else None
    reason = envelope.data.get("error") if envelope and isinstance(envelope.data, dict) else None
    if isinstance(reason, str) and reason != message:  # `data.error` may name the field
        message = f"{message}: {reason}" if message else reason
    code = envelope.code if envelope else None
    return kind(text, status=reply.status, code=code, api_message=message, advice=advice)


def _status_of(task: _Task, raw: Any) -> TaskStatus:
    return TaskStatus(
        task_id=task.taskId,
        state=task.state,
        urls=_urls_of(task.resultJson) if task.state == "success" else (),
        fail_code=task.failCode,
        fail_message=task.failMsg,
        created_at=_moment(task.createTime),
        completed_at=_moment(task.completeTime),
        processing_time=_seconds(task.costTime),
        raw=raw,
    )


def _urls_of(result_json: str | None) -> tuple[str, ...]:
    """Unpack resultJson: a STRING of JSON, ``{"resultUrls": ["https://…"]}``."""
    pictures = _structured(_parsed(result_json), _Pictures) if result_json else None
    return tuple(pictures.resultUrls) if pictures and all(pictures.resultUrls) else ()


def _moment(millis: int | None) -> datetime | None:
    try:
        return None if millis is None else _EPOCH + timedelta(milliseconds=millis)
    except OverflowError:
        return None


def _seconds(millis: int | None) -> float | None:
    try:
        return None if millis is None else millis / 1000
    except OverflowError:
        return None


def age_of(seen: Seen, server_clock: float | None) -> float | None:
    """Return a task's age in seconds by the server's clock, never below 0; None if not known.

    Args:
        seen: a look at it.
        server_clock: Unix time at the server when the look was answered, where it is known better
            than from the answer's Date header, which has whole seconds. Where the header
            says less, the clock was set back: the smaller age counts, since it gives up later.
    """
    created, date = seen.status.created_at, _date(seen.date)
    dated = date.timestamp() if date else None
    if server_clock is None or (dated is not None and dated < server_clock - _SAME_CLOCK):
        server_clock = dated
    if created is None or server_clock is None:
        return None
    return max(server_clock - created.timestamp(), 0.0)


def _retry_after(reply: Reply) -> float | None:
    """Read Retry-After, seconds or a date.

    A date counts from the answer's own Date header: the local clock may be wrong.
    """
    value = reply.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    until, since = _date(value), _date(reply.headers.get("date", ""))
    return max((until - since).total_seconds(), 0.0) if until and since else None


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
