"""Downloads, over real sockets: whole files under their names, and the key stays at home."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from PIL import Image

from nanobanana_async import (
    AuthenticationError,
    ClientClosedError,
    DownloadError,
    ImageResult,
    NanoBananaClient,
)
from nanobanana_async.emulator import Emulator, Stuck


@asynccontextmanager
async def generated(
    output_format: str = "png", **settings: Any
) -> AsyncIterator[tuple[NanoBananaClient, Emulator, ImageResult]]:
    async with (
        Emulator(speed=100, service=Stuck(5.0), **settings) as emulator,
        NanoBananaClient("sk-emulator", base_url=emulator.url) as client,
    ):
        result = await client.generate("a cat", aspect_ratio="3:2", output_format=output_format)
        yield client, emulator, result


async def test_a_picture_arrives_whole_and_the_key_is_not_sent(tmp_path: Path) -> None:
    async with generated() as (client, emulator, result):
        path = await client.download(result, tmp_path / "new" / "cafe.png")
        assert emulator.ledger().keys_leaked == 0
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        picture.load()
    assert [file.name for file in path.parent.iterdir()] == ["cafe.png"]


async def test_several_pictures_are_numbered(tmp_path: Path) -> None:
    async with generated("jpeg", pictures=3) as (client, _, result):
        assert len(result.urls) == 3
        assert await client.download(result, tmp_path / "first.jpeg") == tmp_path / "first.jpeg"
        paths = await client.download_all(result, str(tmp_path / "cafe.jpeg"))
    assert [path.name for path in paths] == ["cafe.jpeg", "cafe-2.jpeg", "cafe-3.jpeg"]
    assert all(path.read_bytes().startswith(b"\xff\xd8\xff") for path in paths)


async def test_in_a_folder_a_picture_is_named_after_its_task(tmp_path: Path) -> None:
    async with generated() as (client, _, result):
        assert await client.download(result, tmp_path) == tmp_path / f"{result.task_id}.png"


async def test_what_breaks_is_fetched_again(tmp_path: Path) -> None:
    faults = {"download_reset": 0.3, "download_503_html": 0.2}
    async with generated(faults=faults, seed=5) as (client, emulator, result):
        await client.download(result, tmp_path / "cafe.png")
        assert emulator.ledger().requests["download"] > 1


async def test_what_cannot_be_had_is_said_with_the_task_and_leaves_nothing(tmp_path: Path) -> None:
    async with generated(result_lifetime=1.0) as (client, _, result):
        await asyncio.sleep(0.02)
        with pytest.raises(DownloadError, match="is gone") as caught:
            await client.download(result, tmp_path / "cafe.png")
    assert caught.value.task_id == result.task_id
    assert list(tmp_path.iterdir()) == []


async def test_a_path_that_ends_in_a_slash_is_a_folder(tmp_path: Path) -> None:
    async with generated() as (client, _, result):
        path = await client.download(result, f"{tmp_path}/new/")
    assert path == tmp_path / "new" / f"{result.task_id}.png"


async def test_two_to_one_path_end_in_one_whole_picture(tmp_path: Path) -> None:
    path = tmp_path / "cafe.png"
    async with generated(full_size=True) as (client, _, result):
        await asyncio.gather(*(client.download(result, path) for _ in range(4)))
    with Image.open(path) as picture:
        picture.load()
    assert list(tmp_path.iterdir()) == [path]


async def test_closing_the_client_during_one_is_said(tmp_path: Path) -> None:
    async with generated(faults={"download_503": 1.0}) as (client, emulator, result):
        download = asyncio.create_task(client.download(result, tmp_path / "cafe.png"))
        while not emulator.ledger().requests["download"]:
            await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await download


async def test_a_client_with_a_wrong_key_still_fetches_what_was_paid_for(tmp_path: Path) -> None:
    async with (
        generated() as (_, emulator, result),
        NanoBananaClient("sk-wrong", base_url=emulator.url) as stranger,
    ):
        with pytest.raises(AuthenticationError):
            await stranger.generate("a cat")
        assert (await stranger.download(result, tmp_path / "cafe.png")).exists()


async def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")
        await writer.drain()
        writer.close()

    async with (
        generated() as (client, _, result),
        await asyncio.start_server(page, "127.0.0.1") as server,
    ):
        port = server.sockets[0].getsockname()[1]
        moved = evolve(result, urls=(f"http://127.0.0.1:{port}/1.png",))
        with pytest.raises(DownloadError, match="neither a PNG nor a JPEG"):
            await client.download(moved, tmp_path / "cafe.png")
        broken = evolve(result, urls=("not a URL",))
        with pytest.raises(DownloadError, match="Not a URL"):
            await client.download(broken, tmp_path / "cafe.png")
    assert list(tmp_path.iterdir()) == []


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with generated() as (client, _, result):
        with pytest.raises(DownloadError, match="Cannot write"):
            await client.download(result, tmp_path / "file" / "cafe.png")


async def test_cancelled_nothing_is_left(tmp_path: Path) -> None:
    async with generated(full_size=True) as (client, _, result):
        download = asyncio.create_task(client.download(result, tmp_path / "cafe.png"))
        while not list(tmp_path.iterdir()) and not download.done():
            await asyncio.sleep(0)
        download.cancel()
        await asyncio.wait([download])
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".part"] == []
