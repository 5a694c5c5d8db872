"""The shapes of answers: the API's envelope, and what a web server says by itself."""

import json
from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve

from nanobanana_async.emulator._wire import Answer

_JSON_HEADERS: Final[Mapping[str, str]] = {"content-type": "application/json"}
_TEXT_HEADERS: Final[Mapping[str, str]] = {"content-type": "text/plain; charset=utf-8"}
_HTML_HEADERS: Final[Mapping[str, str]] = {"content-type": "text/html"}

# One encoder for all: `json.dumps` with separators builds a new one at each call.
compact: Final = json.JSONEncoder(separators=(",", ":")).encode


def envelope(code: int, message: str, data: object) -> bytes:
    """Encode `{"code", "message", "data"}`, the body of every answer of the API."""
    return compact({"code": code, "message": message, "data": data}).encode()


def good(data: Mapping[str, Any]) -> Answer:
    """Answer 200 in an envelope."""
    return Answer(200, envelope(200, "success", data), _JSON_HEADERS)


def refusal(code: int, message: str, data: object = None) -> Answer:
    """Answer an error in an envelope; the HTTP status is the envelope's code."""
    return Answer(code, envelope(code, message, data), _JSON_HEADERS)


def plain(status: int, text: str, **headers: str) -> Answer:
    """Answer as a web server does where no API is: text, no envelope."""
    return Answer(status, text.encode(), {**_TEXT_HEADERS, **headers})


def proxy_page(status: int, title: str) -> Answer:
    """Answer as a proxy does when the API behind it is away: a page of HTML."""
    page = f"<html><head><title>{status} {title}</title></head><body>{title}</body></html>"
    return Answer(status, page.encode(), _HTML_HEADERS)


def foreign(status: int, message: str) -> Answer:
    """Answer as some other service on the way does: JSON, but no envelope."""
    body = compact({"error": {"status": status, "message": message}}).encode()
    return Answer(status, body, _JSON_HEADERS)


UNAUTHORISED: Final = refusal(401, "Invalid or missing API key")
BALANCE_TOO_LOW: Final = refusal(402, "Insufficient balance")
MODEL_NOT_FOUND: Final = refusal(404, "Model not found")
TASK_NOT_FOUND: Final = refusal(404, "Task not found")
# Rate and concurrency are answered alike: the API's text does not tell them apart.
TOO_MANY: Final = refusal(429, "Rate limit exceeded")
TOO_MANY_YET: Final = evolve(TOO_MANY, headers={**_JSON_HEADERS, "retry-after": "2"})
# What is spoilt where the request is not worked on.
BLANK: Final = good({})


def invalid(error: str) -> Answer:
    """Answer 400 with `data.error`, which begins with the name of the field."""
    return refusal(400, "Invalid parameters", {"error": error})
