"""Posts callbacks over HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from nanobanana_async.emulator._courier import Post

_HEADERS: Final[Mapping[str, str]] = {"content-type": "application/json"}


@asynccontextmanager
async def http_post() -> AsyncIterator[Post]:
    """Post as the API does: redirects are not followed."""
    # No limit of connections: a delivery must not spend its patience waiting for one.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(url: str, body: bytes) -> int:
            async with session.post(
                url, data=body, headers=_HEADERS, allow_redirects=False
            ) as answer:
                return answer.status

        yield post
