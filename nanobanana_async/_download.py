"""Result URLs to a storage, whole. The API's key never goes to the host of a picture."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from typing import Final

from attrs import define

from nanobanana_async._errors import DownloadError
from nanobanana_async._hops import Hops, TryAgainError
from nanobanana_async._models import ImageResult
from nanobanana_async._observer import Watch
from nanobanana_async._picture import LONGEST_MAGIC, Format, Inspector, Picture
from nanobanana_async._retry import Backoff
from nanobanana_async._storage import Sink, Storage

__all__ = ["LONGEST", "Downloader", "paths_for"]

LONGEST: Final = 256 << 20
"""Bytes; a picture of 4K has some 20 MiB. More is none, and would fill the disk."""

_TRIES: Final = 4
_AGAIN: Final = Backoff(1.0, 4.0, jitter=0.2)
_FORMATS: Final = {"png": "a PNG", "jpeg": "a JPEG"}


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


@define(eq=False, repr=False)
class Downloader:
    """Fetches pictures over sessions that do not know the key."""

    hops: Hops
    random: Random
    watch: Watch | None = None

    async def fetch(
        self,
        url: str,
        storage: Storage,
        name: str,
        *,
        task_id: str,
        expected: Format | None = None,
        longest: int = LONGEST,
    ) -> Picture:
        """Stream one picture into `storage`; tries again where trying again may help.

        Raises:
            DownloadError: it could not be had whole, or not be stored: then an OSError is the
                cause. Nothing is left under `name`.
            ValueError: `expected` is no format, or the storage does not take the name.
        """
        if expected not in (None, *_FORMATS):
            raise ValueError(f"expected must be png, jpeg or None, not {expected!r}")
        fetched = self._fetch(
            url, storage, name, task_id=task_id, expected=expected, longest=longest
        )
        return await (fetched if self.watch is None else self.watch.download(task_id, fetched))

    async def _fetch(
        self,
        url: str,
        storage: Storage,
        name: str,
        *,
        task_id: str,
        expected: Format | None,
        longest: int,
    ) -> Picture:
        for failures in range(1, _TRIES + 1):
            try:
                return await self._fetch_once(url, storage, name, expected, longest)
            except TryAgainError as error:
                reason = str(error)
            except DownloadError as error:
                error.task_id = task_id
                raise
            if failures < _TRIES:
                await asyncio.sleep(_AGAIN.delay(failures, self.random))
        raise DownloadError(f"Cannot fetch {url}: {reason}", task_id=task_id)

    async def _fetch_once(
        self, url: str, storage: Storage, name: str, expected: Format | None, longest: int
    ) -> Picture:
        async with self.hops.body(url) as body:
            _check_size(url, body.length or 0, longest)
            async with _stored(storage, name) as sink:
                seen = Inspector()
                async for chunk in body.chunks():
                    seen.feed(chunk)
                    _check_size(url, seen.size, longest)
                    if seen.size >= LONGEST_MAGIC:
                        _check_format(url, seen.format, expected)
                    with _told(name):
                        await sink.write(chunk)
                if body.length not in (None, seen.size):
                    raise TryAgainError(f"{seen.size} bytes came instead of {body.length}")
                kind = _check_format(url, seen.format, expected)
                with _told(name):
                    await sink.commit()
        return Picture(url, name, seen.size, seen.sha256(), kind, seen.width, seen.height)


@asynccontextmanager
async def _stored(storage: Storage, name: str) -> AsyncIterator[Sink]:
    with _told(name):
        sink = await storage.begin(name)
    try:
        yield sink
    except BaseException:
        await sink.abort()
        raise


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Tell what the storage cannot do from what the network cannot, some of which is OSError too."""
    try:
        yield
    except OSError as error:
        full = "Free some space; the picture is paid for, so download it again"
        advice = full if error.errno == errno.ENOSPC else None
        raise DownloadError(f"Cannot write {name}: {error}", advice=advice) from error


def _check_size(url: str, size: int, longest: int) -> None:
    if size > longest:
        raise DownloadError(f"What {url} holds is longer than a picture can be: {longest:,} bytes")


def _check_format(url: str, found: Format | None, expected: Format | None) -> Format:
    if found is None:
        raise DownloadError(f"What {url} holds is neither a PNG nor a JPEG")
    if expected not in (None, found):
        asked = _FORMATS[expected or found]
        raise DownloadError(f"What {url} holds is {_FORMATS[found]}, where {asked} was asked for")
    return found
