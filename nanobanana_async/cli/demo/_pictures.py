"""From wishes to files: everything is generated at once, and downloaded beside it."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from nanobanana_async import ImageRequest, ImageResult, NanoBananaClient, NanoBananaError
from nanobanana_async.cli.demo._tally import Tally

# Few, since pictures are large and the next generations should not wait for the network.
_DOWNLOADS: Final = 8

_Finished = asyncio.Queue[tuple[int, str, ImageResult] | None]


async def make_pictures(
    client: NanoBananaClient, requests: Iterable[ImageRequest], folder: Path, tally: Tally
) -> None:
    """Make a picture of each request, named after its key; what fails is noted in `tally`."""
    # Without a limit: a slow download must never keep a slot of the API from its next task.
    finished: _Finished = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        for _ in range(_DOWNLOADS):
            group.create_task(_download(client, finished, folder, tally))
        await _generate(client, requests, finished, tally)
        for _ in range(_DOWNLOADS):
            finished.put_nowait(None)


async def _generate(
    client: NanoBananaClient, requests: Iterable[ImageRequest], finished: _Finished, tally: Tally
) -> None:
    try:
        async with client.generate_many(requests) as outcomes:
            async for outcome in outcomes:
                if outcome.result is not None:
                    tally.generated += 1
                    finished.put_nowait((outcome.index, str(outcome.key), outcome.result))
                elif outcome.error is not None:
                    tally.fail(str(outcome.key), outcome.error)
    except NanoBananaError as error:
        # The run is over, but the pictures that are ready can still be had.
        tally.note(str(error))


async def _download(
    client: NanoBananaClient, finished: _Finished, folder: Path, tally: Tally
) -> None:
    while (item := await finished.get()) is not None:
        index, name, result = item
        file = folder / f"{name}.png"
        try:
            await client.download(result, file)
            tally.keep(index, file)
        except NanoBananaError as error:
            tally.fail(name, error)
        except asyncio.CancelledError:
            tally.cut_off.append(file)
            raise
