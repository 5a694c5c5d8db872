"""Downloads, over real sockets: whole files under their names, and the key stays at home."""

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Literal
from unittest.mock import Mock

import aiohttp
import pytest
from attrs import define, evolve, field
from PIL import Image

from nanobanana_async import (
    AuthenticationError,
    ClientClosedError,
    DownloadError,
    ImageResult,
    LocalFolder,
    NanoBananaClient,
    Picture,
)
from nanobanana_async._download import Downloader
from nanobanana_async._hops import Body, Hops
from nanobanana_async._hosts import HostRules
from nanobanana_async._retry import Backoff
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


# Into a storage


def drawn(kind: str = "png") -> bytes:
    file = BytesIO()
    Image.new("RGB", (7, 5), "salmon").save(file, kind)
    return file.getvalue()


def whole(body: bytes, length: int | None = None) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (length or len(body)) + body


def chunked(body: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n" % len(body) + body + b"\r\n" + end


def moved(location: str) -> bytes:
    return b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % location.encode()


@define
class Server:
    """Gives one answer after another, and breaks off behind each; the last one stays."""

    answers: list[bytes]
    url: str = ""
    heads: list[bytes] = field(factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncIterator[Server]:
    server = Server(list(answers))
    async with await asyncio.start_server(server.answer, "127.0.0.1") as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/1.png"
        yield server


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NanoBananaClient]:
    """One whose API is on this machine, and which does not wait between its tries."""
    monkeypatch.setattr("nanobanana_async._download._AGAIN", Backoff(1e-3, 1e-3))
    async with NanoBananaClient("sk-secret", base_url="http://127.0.0.1:9") as opened:
        yield opened


async def fetched(
    client: NanoBananaClient,
    url: str,
    folder: Path,
    expected: Literal["png", "jpeg"] | None = None,
) -> Picture:
    storage = LocalFolder(folder, spare=1)
    return await client.fetch(url, storage, "images/1.png", task_id="task_1", expected=expected)


async def test_what_was_fetched_is_described(tmp_path: Path) -> None:
    async with generated("jpeg") as (client, emulator, result):
        picture = await fetched(client, result.urls[0], tmp_path, "jpeg")
        assert emulator.ledger().keys_leaked == 0
    body = (tmp_path / "images" / "1.png").read_bytes()
    with Image.open(BytesIO(body)) as image:
        assert (picture.width, picture.height) == image.size
    assert picture == Picture(
        url=result.urls[0],
        name="images/1.png",
        bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        format="jpeg",
        width=picture.width,
        height=picture.height,
    )


@pytest.mark.parametrize(
    "broken",
    [
        whole(drawn(), len(drawn()) + 1),
        chunked(drawn(), end=b""),
        chunked(drawn(), end=b"5\r\nab"),
        b"HTTP/1.1 502 B\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["shorter than announced", "cut between chunks", "cut in a chunk", "502"],
)
async def test_what_broke_is_fetched_again_and_what_stays_broken_is_said(
    client: NanoBananaClient, tmp_path: Path, broken: bytes
) -> None:
    async with serving(broken, broken, chunked(drawn())) as server:
        assert (await fetched(client, server.url, tmp_path / "mended")).bytes == len(drawn())
        assert len(server.heads) == 3
    async with serving(broken) as server:
        with pytest.raises(DownloadError, match="Cannot fetch") as caught:
            await fetched(client, server.url, tmp_path / "never")
        assert len(server.heads) == 4
    assert caught.value.task_id == "task_1"
    assert caught.value.__cause__ is None
    assert [f for f in (tmp_path / "never").rglob("*") if not f.is_dir()] == []


async def test_a_body_that_ends_too_early_unnoticed_by_http(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nanobanana_async._download._AGAIN", Backoff(1e-3, 1e-3))

    class Short(Hops):
        @asynccontextmanager
        async def body(self, _: str) -> AsyncIterator[Body]:
            content = aiohttp.StreamReader(Mock(), 1 << 16)
            content.feed_data(drawn())
            content.feed_eof()
            yield Body(len(drawn()) + 1, content)

    downloader = Downloader(Short(Mock(), HostRules(), 5), Random(1))
    with pytest.raises(DownloadError, match=f"{len(drawn())} bytes came instead of"):
        await downloader.fetch("x", LocalFolder(tmp_path, spare=1), "1.png", task_id="task_1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (whole(drawn("jpeg")), "is a JPEG, where a PNG was asked for"),
        (whole(b"<html>" * 9), "neither a PNG nor a JPEG"),
        (whole(b"\x89PNG"), "neither a PNG nor a JPEG"),
        (whole(b""), "neither a PNG nor a JPEG"),
        (whole(drawn() + bytes(2_000)), "longer than a picture can be: 2,000 bytes"),
        (whole(drawn(), 5_000), "longer than a picture can be"),
        (chunked(drawn() + bytes(2_000)), "longer than a picture can be"),
        (b"HTTP/1.1 410 G\r\nContent-Length: 0\r\n\r\n", "is gone"),
    ],
)
async def test_what_no_further_try_would_mend(
    client: NanoBananaClient, tmp_path: Path, answer: bytes, told: str
) -> None:
    async with serving(answer) as server:
        with pytest.raises(DownloadError, match=told) as caught:
            await client._downloader().fetch(
                server.url,
                LocalFolder(tmp_path, spare=1),
                "1.png",
                task_id="task_1",
                expected="png",
                longest=2_000,
            )
        assert len(server.heads) == 1
    assert (caught.value.task_id, caught.value.__cause__) == ("task_1", None)
    assert list(tmp_path.iterdir()) == []


async def test_a_redirect_leads_to_a_picture(client: NanoBananaClient, tmp_path: Path) -> None:
    async with serving(whole(drawn())) as there, serving(moved(there.url)) as here:
        assert (await fetched(client, here.url, tmp_path)).url == here.url
    assert not any(b"sk-secret" in head for head in here.heads + there.heads)


async def test_a_redirect_to_a_private_address_is_said(
    client: NanoBananaClient, tmp_path: Path
) -> None:
    async with serving(moved("http://10.0.0.1/")) as server:
        with pytest.raises(DownloadError, match=r"10\.0\.0\.1 is private.*private_hosts=True"):
            await fetched(client, server.url, tmp_path)
        assert len(server.heads) == 1


@pytest.mark.parametrize("private_hosts", [False, True])
async def test_this_machine_is_asked_only_where_the_api_is_on_it(
    tmp_path: Path, private_hosts: bool
) -> None:
    async with (
        serving(whole(drawn())) as server,
        NanoBananaClient(
            "sk-secret", base_url="http://api.invalid", private_hosts=private_hosts
        ) as client,
    ):
        with pytest.raises(DownloadError, match=r"127\.0\.0\.1 is loopback.*base_url"):
            await fetched(client, server.url, tmp_path)
        with pytest.raises(DownloadError, match="localhost"):
            await fetched(client, server.url.replace("127.0.0.1", "localhost"), tmp_path)
    assert server.heads == []


async def test_a_path_of_the_user_s_own_may_be_any(
    client: NanoBananaClient, tmp_path: Path
) -> None:
    """It need not be a name that any folder would take."""
    async with serving(whole(drawn())) as server:
        result = ImageResult(
            task_id="task_1",
            urls=(server.url,),
            created_at=None,
            completed_at=None,
            processing_time=None,
            request=None,
        )
        path = await client.download(result, tmp_path / "C:cafe.png")
    assert list(tmp_path.iterdir()) == [path]


# What a storage cannot do


@define
class Broken:
    """A storage that fails at one of its calls."""

    at: str
    error: OSError
    calls: list[str] = field(factory=list)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.at:
            raise self.error

    async def begin(self, _: str) -> "Broken":
        self._call("begin")
        return self

    async def write(self, _: bytes) -> None:
        self._call("write")

    async def commit(self) -> None:
        self._call("commit")

    async def abort(self) -> None:
        self._call("abort")


@pytest.mark.parametrize("at", ["begin", "write", "commit"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken"), TimeoutError("late")]
)
async def test_what_could_not_be_stored_is_told_from_what_could_not_be_had(
    client: NanoBananaClient, at: str, error: OSError
) -> None:
    storage = Broken(at, error)
    async with serving(whole(drawn())) as server:
        with pytest.raises(
            DownloadError, match=r"Cannot write 1\.png: .*(full|broken|late)"
        ) as seen:
            await client.fetch(server.url, storage, "1.png", task_id="task_1")
        assert len(server.heads) == 1
    assert (seen.value.__cause__, seen.value.task_id) == (error, "task_1")
    assert ("Free some space" in str(seen.value)) == (error.errno == errno.ENOSPC)
    assert storage.calls.count("abort") == (at != "begin")
    assert storage.calls.count("begin") == 1


async def test_a_full_disk(client: NanoBananaClient, tmp_path: Path) -> None:
    storage = LocalFolder(tmp_path, spare=1 << 60)
    async with serving(whole(drawn())) as server:
        with pytest.raises(DownloadError, match="MiB are left on the disk") as caught:
            await client.fetch(server.url, storage, "1.png", task_id="task_1")
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


async def test_a_name_or_a_format_that_cannot_be(client: NanoBananaClient, tmp_path: Path) -> None:
    async with serving(whole(drawn())) as server:
        with pytest.raises(ValueError, match="Not the name"):
            await client.fetch(server.url, LocalFolder(tmp_path), "../1.png", task_id="task_1")
        with pytest.raises(ValueError, match="expected must be png, jpeg or None, not 'jpg'"):
            await fetched(client, server.url, tmp_path, "jpg")  # type: ignore[arg-type]
