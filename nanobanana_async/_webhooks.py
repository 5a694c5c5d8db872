"""What a client is told about webhooks: where it is reached, and with which secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen

from nanobanana_async._checks import flag, has_methods, patience

__all__ = ["DeliveryRelay", "Webhooks"]

_SHORTEST_SECRET: Final = 16


class DeliveryRelay(Protocol):
    """Hands a delivery that reached the wrong process to the one that it is for.

    Whoever implements it owes that what one process publishes is offered to each that has subscribed,
    until one takes it. A client calls it in its event loop; what it raises is logged, and the
    delivery is answered 503: the API repeats it.
    """

    async def publish(self, body: bytes, token: str) -> int | None:
        """Offer a delivery, and return the HTTP status of whoever took it; None where nobody did.

        Cancelled after 10 s, since the API waits for an answer: 503, and the delivery comes again. The
        same one may come twice, which does no harm.
        """
        ...

    def subscribe(self, take: Callable[[bytes, str], Awaitable[int | None]]) -> Callable[[], None]:
        """Have `take` called with what others publish, until the returned function is called.

        Called when the client is opened, and what it returned when the client is closed. `take` is to
        be called in that client's event loop; it returns None for what it does not know, and
        404 for the token of another secret: then others are to be offered it.
        """
        ...


def _secret_bytes(secret: Any) -> Any:
    return secret.encode() if isinstance(secret, str) else secret


def _long_enough(_: Any, __: Attribute[bytes], value: Any) -> None:
    if not isinstance(value, bytes):
        raise TypeError("secret must be a text or bytes")
    if len(value) < _SHORTEST_SECRET:
        raise ValueError(
            f"secret must have {_SHORTEST_SECRET} bytes at least; "
            'make one: python -c "import secrets; print(secrets.token_urlsafe())"'
        )


def _trimmed(url: Any) -> Any:
    return url.rstrip("/") if isinstance(url, str) else url


def _public(_: Any, __: Attribute[str], value: Any) -> None:
    # Not shown where it holds a password.
    fault = "public_url must be an http(s) URL without user, query or fragment"
    if not isinstance(value, str):
        raise TypeError(fault)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError(fault) from None
    good = parts.scheme in ("https", "http") and parts.hostname and "@" not in parts.netloc
    plain = value.isascii() and value.isprintable() and not any(mark in value for mark in ' ?#"\\')
    if not (good and plain):
        raise ValueError(fault)


def _relays(_: Any, __: Attribute[Any], value: Any) -> None:
    if not (value is None or has_methods(value, "publish", "subscribe")):
        raise TypeError(f"relay must be a DeliveryRelay, not {value!r}")


@frozen(kw_only=True)
class Webhooks:
    """Have the API tell how tasks end. `ValueError` or `TypeError` for what makes no sense."""

    public_url: str = field(converter=_trimmed, validator=_public)
    """Where the API reaches the receiver, ``https://example.org/hooks/nanobanana``: each submit
    gets this with ``/`` and a token of its own. http is for an API on this machine only."""
    secret: bytes = field(converter=_secret_bytes, validator=_long_enough, repr=False)
    """Proves that a token is ours: 16 bytes at least, a text or bytes. The same one after a
    restart, and in all processes behind one URL."""
    confirm: bool = field(default=False, validator=flag)
    """Believe no delivery: each one only causes a status check, which takes a request."""
    unknown_patience: float = field(default=180.0, validator=patience)
    """Seconds for which a submit whose answer was lost waits for its delivery: the API repeats one
    for 210 s. Only then it is a `SubmitUnknownError`, or is sent again with `resubmit_unknown`. Its
    slot is free then, too (in place of `unknown_hold`): give it as long as your tasks take, at least."""
    relay: DeliveryRelay | None = field(default=None, repr=False, validator=_relays)
    """Where deliveries for other processes go; without one they are answered 503 and come again."""
