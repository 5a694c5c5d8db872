"""What goes in and out of the emulator's core: plain values, without a socket."""

from collections.abc import Mapping

from attrs import frozen


@frozen
class Request:
    """One HTTP request, read whole."""

    method: str
    """In upper case."""
    path: str
    """Without the query, percent escapes decoded."""
    query: Mapping[str, str]
    """Percent escapes decoded."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """Empty where there is none."""


@frozen
class Answer:
    """An HTTP answer to be sent as it is."""

    status: int
    """The HTTP status."""
    body: bytes
    """As it is sent; JSON in the API's envelope, but for what stands for a proxy's page."""
    headers: Mapping[str, str]
    """Names in lower case; `content-type` is always there, and on its way out `date`."""


@frozen
class Reset:
    """The connection is closed without an answer."""


@frozen
class Picture:
    """A picture that the front has to draw and send: drawing is work, not protocol."""

    prompt: str
    """What is written on it."""
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
    """What is cut."""


Outcome = Answer | Reset | Picture | Silence | Cut
