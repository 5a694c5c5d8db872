"""What goes in and out of the emulator's core: plain values, without a socket."""

from collections.abc import Mapping

from attrs import frozen


@frozen
class Request:
    """One HTTP request, read whole."""

    method: str
    path: str
    """Without the query, percent escapes decoded."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@frozen
class Answer:
    """An HTTP answer to be sent as it is."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    """Names in lower case; `content-type` is always there."""


@frozen
class Reset:
    """The connection is closed without an answer."""


@frozen
class Picture:
    """A picture that the front has to draw and send: drawing is work, not protocol."""

    prompt: str
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    format: str
    """`png` or `jpeg`."""


Outcome = Answer | Reset | Picture
