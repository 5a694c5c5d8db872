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
    """Names in lower case; `content-type` is always there, and on its way out `date`."""


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
    date: str = ""
    """For the header of that name."""


@frozen
class Silence:
    """Nothing is sent, and the connection stays open until the client gives up."""


@frozen
class Cut:
    """The head and half of the body are sent, then the connection is closed."""

    of: Answer | Picture


Outcome = Answer | Reset | Picture | Silence | Cut
