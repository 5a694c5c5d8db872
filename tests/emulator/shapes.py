"""What each fault looks like from outside: one table for the core and for both fronts."""

import json
from collections.abc import Mapping
from typing import Any

STATUSES = (408, 500, 502, 503, 504, 520)
MEBIBYTE = 1024 * 1024

# Nothing comes at all, or no whole answer.
BROKEN = ("reset", "lost")
CUT = ("cut", "cut_after")
SILENT = ("silent", "silent_after")

DRESSED = [
    f"{status}{dress}{moment}"
    for status in STATUSES
    for dress in ("", "_json", "_html", "_empty")
    for moment in ("", "_after")
    if (status, dress, moment) != (503, "", "_after")
]
CODES_IN_200 = ["200_code_500", "200_code_500_after", "200_code_400", "200_code_429"]
CODES_IN_200 += ["200_code_503"]
SPOILT = [
    f"{act}{moment}"
    for act in ("307", "truncated", "wrong_shape", "huge", "wrong_content")
    for moment in ("", "_after")
]
ANSWERED = ["429", "429_retry_after", *DRESSED, *CODES_IN_200, *SPOILT]

# Of all API requests. `slow` and those of one kind only have tests of their own.
COMMON = [*BROKEN, *CUT, *SILENT, *ANSWERED]


def is_after(act: str) -> bool:
    """Tell whether the request was worked on, and nobody hears of it."""
    return act == "lost" or (act.endswith("_after") and act != "429_retry_after")


def looks_like(act: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Check an answer with the fault `act` of `ANSWERED`."""
    name = act.removesuffix("_after") if is_after(act) else act
    wanted, _, dress = name.partition("_")
    if wanted == "429":
        assert status == 429
        assert envelope(headers, body)["code"] == 429
        assert headers.get("retry-after") == (None if name == "429" else "2")
    elif wanted == "307":
        assert status == 307
        assert headers["location"].startswith("/api/v1/")
        assert headers["location"].endswith("again=1")
    elif wanted == "200":
        assert status == 200
        parsed = envelope(headers, body)
        assert (f"code_{parsed['code']}", parsed["data"]) == (dress, None)
    elif wanted.isdecimal():
        assert status == int(wanted)
        _dressed_in(dress, status, headers, body)
    else:
        assert status == 200
        _spoilt(name, headers, body)


def _dressed_in(dress: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    if dress == "":
        assert envelope(headers, body)["code"] == status
    elif dress == "json":
        assert headers["content-type"] == "application/json"
        assert "code" not in json.loads(body)
    elif dress == "html":
        _is_page(headers, body)
    else:
        assert (dress, body) == ("empty", b"")


def _spoilt(name: str, headers: Mapping[str, str], body: bytes) -> None:
    if name == "truncated":
        assert headers["content-type"] == "application/json"
        assert body.startswith(b'{"code":200')
        assert not _is_json(body)
    elif name == "wrong_shape":
        assert isinstance(envelope(headers, body)["data"], list)
    elif name == "huge":
        assert len(body) == 10 * MEBIBYTE
        assert json.loads(body)["code"] == 200
    else:
        assert name == "wrong_content"
        _is_page(headers, body)


def envelope(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    assert headers["content-type"] == "application/json"
    parsed: dict[str, Any] = json.loads(body)
    assert list(parsed) == ["code", "message", "data"]
    return parsed


def _is_page(headers: Mapping[str, str], body: bytes) -> None:
    assert headers["content-type"] == "text/html"
    assert body.startswith(b"<html>")


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
