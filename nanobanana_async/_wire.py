"""One HTTP exchange as plain values: what a transport takes and what it gives back.

Every transport (HTTP, and the emulator's in-memory front) speaks these, so that everything above
is the same over both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol

from attrs import frozen

__all__ = ["LONGEST_BODY", "Call", "NoAnswerError", "NotSentError", "Reply", "Transport"]

LONGEST_BODY: Final = 1 << 20
"""Bytes; the API's answers have a few hundred. A longer one is none of its, and is not read on."""


@frozen
class Call:
    """A request to the API: the path below ``/api/v1/``, and what goes with it."""

    method: Literal["GET", "POST"]
    path: str
    query: Mapping[str, str] | None = None
    body: bytes | None = None


@frozen
class Reply:
    """A whole HTTP answer; its header names are in lower case or looked up without case.

    A body longer than `LONGEST_BODY` may be cut anywhere beyond that.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotSentError(Exception):
    """No connection was had: the request has certainly not reached the API."""


class NoAnswerError(Exception):
    """There was a connection but no whole answer: what became of the request is not known."""


class Transport(Protocol):
    """Carries requests to the API. One request a call: no retry, no redirect, no waiting in line."""

    async def send(self, call: Call, timeout: float) -> Reply:  # noqa: ASYNC109 - one request's own
        """Send one request and read its whole answer, within `timeout` seconds.

        Raises:
            NotSentError: no connection was had.
            NoAnswerError: a connection was had, but no whole answer came in time.
        """
        ...

    async def aclose(self) -> None:
        """Free what the transport holds."""
        ...
