"""Generating and downloading side by side."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from nanobanana_async import (
    DownloadError,
    ImageRequest,
    ImageResult,
    InsufficientBalanceError,
    NanoBananaClient,
    Outcome,
    TaskFailedError,
)
from nanobanana_async.cli.demo._pictures import make_pictures
from nanobanana_async.cli.demo._tally import Tally

FOLDER = Path("folder")


class FakeClient:
    """Generates at once; downloads when everything has been generated, and not before."""

    def __init__(self, *, failing: str = "", unreachable: str = "", ends_after: int = -1) -> None:
        self.failing = failing
        self.unreachable = unreachable
        self.ends_after = ends_after
        self.all_generated = asyncio.Event()
        self.downloads: list[Path] = []

    @asynccontextmanager
    async def generate_many(
        self, requests: Iterable[ImageRequest]
    ) -> AsyncIterator[AsyncIterator[Outcome]]:
        yield self._outcomes(requests)
        self.all_generated.set()

    async def _outcomes(self, requests: Iterable[ImageRequest]) -> AsyncIterator[Outcome]:
        for index, request in enumerate(requests):
            if index == self.ends_after:
                self.all_generated.set()
                raise InsufficientBalanceError("No money left")
            yield self._outcome(index, request)

    def _outcome(self, index: int, request: ImageRequest) -> Outcome:
        if request.key == self.failing:
            error = TaskFailedError("It failed", task_id="task_1")
            return Outcome(index=index, key=request.key, request=request, error=error)
        result = ImageResult(
            task_id=f"task_{index}",
            urls=("http://127.0.0.1/1.png",),
            created_at=None,
            completed_at=None,
            processing_time=None,
            request=request,
        )
        return Outcome(index=index, key=request.key, request=request, result=result)

    async def download(self, _: ImageResult, path: Path) -> Path:
        await self.all_generated.wait()
        if path.stem == self.unreachable:
            raise DownloadError("It cannot be had")
        self.downloads.append(path)
        return path


async def made_by(client: FakeClient, number: int) -> Tally:
    tally = Tally(number)
    requests = (ImageRequest("a cat", key=str(index)) for index in range(number))
    await make_pictures(cast("NanoBananaClient", client), requests, FOLDER, tally)
    return tally


async def test_generating_never_waits_for_a_download() -> None:
    client = FakeClient()
    tally = await made_by(client, 100)
    assert (tally.generated, tally.downloaded, tally.missing) == (100, 100, 0)
    assert sorted(client.downloads) == sorted(FOLDER / f"{index}.png" for index in range(100))
    assert sorted(tally.files) == sorted(client.downloads)


async def test_what_fails_is_counted_and_named() -> None:
    tally = await made_by(FakeClient(failing="3", unreachable="5"), 10)
    assert (tally.generated, tally.downloaded, tally.failed, tally.missing) == (9, 8, 2, 2)
    assert tally.reasons[0].startswith("3: It failed")
    assert tally.reasons[1].startswith("5: It cannot be had")


async def test_what_is_ready_is_fetched_when_the_run_ends_early() -> None:
    tally = await made_by(FakeClient(ends_after=4), 10)
    assert (tally.downloaded, tally.missing) == (4, 6)
    assert tally.reasons[0].startswith("No money left")
