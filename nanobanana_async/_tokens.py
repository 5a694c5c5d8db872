"""What proves that a delivery answers a submit of ours.

The API signs nothing, so the proof is in the URL that it was given: a random nonce and a MAC over
it. Whoever has the secret can tell a true token without having seen it before; nobody else can
make one, and nothing in it says anything about the task. Pure.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes
from typing import Final

from attrs import field, frozen

__all__ = ["Tokens"]

_NONCE: Final = 16  # bytes; a MAC cut to as many (RFC 2104, section 5: no fewer than half) follows
_PURPOSE: Final = b"nanobanana_async callback 1\0"
"""A secret that signs something else, too, gives no tokens away there."""


@frozen(eq=False, repr=False)
class Tokens:
    """Makes tokens and knows its own again."""

    _secret: bytes = field(repr=False)

    def mint(self) -> tuple[str, bytes]:
        """Return a new token, 43 characters fit for a URL, and its mark."""
        nonce = token_bytes(_NONCE)
        token = urlsafe_b64encode(nonce + self._mac(nonce)).rstrip(b"=").decode()
        return token, _mark(nonce)

    def mark_of(self, token: str) -> bytes | None:
        """Return the mark of a token of this secret; None of anything else, in constant time."""
        data = _decoded(token)
        nonce, mac = data[:_NONCE], data[_NONCE:]
        return _mark(nonce) if hmac.compare_digest(mac, self._mac(nonce)) else None

    def _mac(self, nonce: bytes) -> bytes:
        return hmac.digest(self._secret, _PURPOSE + nonce, "sha256")[:_NONCE]


def _mark(nonce: bytes) -> bytes:
    """Return what may be stored of a nonce: no token can be made from it."""
    return sha256(nonce).digest()[:_NONCE]


def _decoded(token: str) -> bytes:
    """Return the bytes of a token; of what is none, bytes that are no token either.

    Another spelling of the same bytes (base64 leaves bits over at its end) is none.
    """
    try:
        data = urlsafe_b64decode(f"{token}=".encode("ascii"))
    except ValueError:
        return b""
    return data if urlsafe_b64encode(data).rstrip(b"=") == token.encode() else b""
