"""What all receivers do alike: find the client, read no more than is needed, never raise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Callable
from http import HTTPStatus
from typing import Final, TypeAlias

from nanobanana_async import ClientClosedError, NanoBananaClient

__all__ = ["MOST_READ", "FindClient", "Source", "finder", "hand_over", "read_body"]

_logger = logging.getLogger("nanobanana_async")

MOST_READ: Final = 65_537
"""Bytes that are read of a body: one more than a delivery may have, so that the client can tell."""
_PATIENCE: Final = 10.0
"""Seconds for a body to come; the API itself gives up after 30."""

FindClient: TypeAlias = Callable[[], NanoBananaClient | None]
Source: TypeAlias = NanoBananaClient | FindClient


def finder(source: Source) -> FindClient:
    """Return what finds the client when a delivery comes.

    Raises:
        ValueError: it is a client without webhooks.
        TypeError: it is neither a client nor callable.
    """
    if isinstance(source, NanoBananaClient):
        _ = source.webhooks
        return lambda: source
    if not callable(source):
        raise TypeError(f"a client, or a callable that returns one, not {source!r}")
    return source


async def read_body(chunks: AsyncIterable[bytes]) -> bytes:
    """Join what comes, up to 65,537 bytes. Raises TimeoutError when it is not whole after 10 s."""
    body = bytearray()
    async with asyncio.timeout(_PATIENCE):
        async for chunk in chunks:
            body += chunk
            if len(body) >= MOST_READ:
                break
    return bytes(body[:MOST_READ])


async def hand_over(find: FindClient, body: bytes, path: str) -> int:
    """Deliver a body by the token in which `path` (percent-decoded) ends; return the HTTP status."""
    token = path.rstrip("/").rpartition("/")[2]
    try:
        client = find()
        if client is None:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return await client.webhooks.deliver(body, token)
    except ClientClosedError:
        return HTTPStatus.SERVICE_UNAVAILABLE
    except Exception:
        _logger.exception("A webhook delivery could not be taken")
        return HTTPStatus.INTERNAL_SERVER_ERROR
