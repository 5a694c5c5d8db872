"""Result URLs to files. The API's key never goes to the host of a picture.

A picture is written to a `.part` file beside its place and renamed when it is known to be whole, so
a file under its own name is always a whole picture.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import BinaryIO, Final
from uuid import uuid4

import aiohttp
from anyio import to_thread
from attrs import define

from nanobanana_async._errors import ClientClosedError, DownloadError
from nanobanana_async._models import ImageResult
from nanobanana_async._retry import Backoff

__all__ = ["Downloader", "paths_for"]

_TRIES: Final = 4
_AGAIN: Final = Backoff(1.0, 4.0, jitter=0.2)
_CHUNK: Final = 1 << 18

_OK: Final = 200
_MAGIC: Final = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
_LONGEST_MAGIC: Final = max(map(len, _MAGIC))


class _Again(Exception):  # noqa: N818 - a signal inside this module
    """This try failed, another may not."""


def paths_for(result: ImageResult, place: str | os.PathLike[str]) -> list[Path]:
    """Name the files of a result: cafe.png, cafe-2.png, …; in a folder, after the task's id.

    A folder is one that is there, or a path that ends in a slash.
    """
    path = Path(place)
    if path.is_dir() or os.fspath(place).endswith(("/", os.sep)):
        suffix = Path(result.urls[0].partition("?")[0]).suffix or ".png"
        name = "".join(c if c.isalnum() or c in "-_" else "_" for c in result.task_id)
        path = path / f"{name}{suffix}"
    later = range(2, len(result.urls) + 1)
    return [path, *(path.with_stem(f"{path.stem}-{number}") for number in later)]


@define
class Downloader:
    """Fetches pictures over a session that does not know the key."""

    session: aiohttp.ClientSession
    timeout: float
    random: Random

    async def fetch(self, url: str, path: Path, task_id: str) -> Path:
        """Stream one picture to `path`; tries again where trying again may help.

        Raises:
            DownloadError: it could not be had whole; nothing is left at `path`.
        """
        for failures in range(1, _TRIES + 1):
            try:
                await self._fetch_once(url, path)
            except _Again as error:
                reason = str(error)
            except OSError as error:
                raise DownloadError(f"Cannot write {path}: {error}", task_id=task_id) from None
            except DownloadError as error:
                error.task_id = task_id
                raise
            else:
                return path
            if failures < _TRIES:
                await asyncio.sleep(_AGAIN.delay(failures, self.random))
        raise DownloadError(f"Cannot fetch {url}: {reason}", task_id=task_id)

    async def _fetch_once(self, url: str, path: Path) -> None:
        async with self._answer(url) as response, _part_of(path) as file:
            head, size = b"", 0
            async for chunk in response.content.iter_chunked(_CHUNK):
                head = (head + chunk)[:_LONGEST_MAGIC] if len(head) < _LONGEST_MAGIC else head
                size += len(chunk)
                await _in_thread(file.write, chunk)
            if response.content_length not in (None, size):
                raise _Again(f"{size} bytes came instead of {response.content_length}")
            if not any(map(head.startswith, _MAGIC)):
                raise DownloadError(f"What {url} holds is neither a PNG nor a JPEG")
            await _in_thread(_put_in_place, file, path)

    @asynccontextmanager
    async def _answer(self, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
        if self.session.closed:
            raise ClientClosedError("The client was closed during a download")
        timeout = aiohttp.ClientTimeout(sock_connect=self.timeout, sock_read=self.timeout)
        try:
            async with self.session.get(url, timeout=timeout) as response:
                if response.status != _OK:
                    raise _refusal(url, response.status)
                yield response
        except aiohttp.InvalidURL:
            raise DownloadError(f"Not a URL to download from: {url!r}") from None
        except aiohttp.ClientHttpProxyError as error:  # its text is the proxy's whole URL
            raise _Again(f"the proxy answered {error.status}") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Again(f"{error} ({type(error).__name__})") from None


@asynccontextmanager
async def _part_of(path: Path) -> AsyncIterator[BinaryIO]:
    # A name of its own: two downloads to one path must not write into one file.
    part = path.with_name(f"{path.name}.{uuid4().hex[:8]}.part")
    opened: list[BinaryIO] = []

    def begin() -> None:
        part.parent.mkdir(parents=True, exist_ok=True)
        opened.append(part.open("wb"))

    try:
        await _in_thread(begin)
        yield opened[0]
    finally:
        # Not in a thread: it must also happen where this task is being cancelled.
        for file in opened:
            file.close()
        part.unlink(missing_ok=True)


async def _in_thread(work: Callable[..., object], *args: object) -> None:
    """Run blocking `work` in a thread. A cancellation waits for it: it must not go on alone."""
    running = asyncio.ensure_future(to_thread.run_sync(work, *args))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _put_in_place(file: BinaryIO, path: Path) -> None:
    file.close()
    Path(file.name).replace(path)


def _refusal(url: str, status: int) -> Exception:
    if status in (404, 410):
        return DownloadError(f"{url} is gone", status=status, advice="Its time may be over")
    if status >= 500 or status in (408, 429):  # noqa: PLR2004 - HTTP's own classes
        return _Again(f"HTTP status {status}")
    return DownloadError(f"{url} cannot be had", status=status)
