"""The folder: a name is visible only whole, and never leads out."""

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import anyio
import pytest

from nanobanana_async import LocalFolder

MIB = 1 << 20


def files(folder: Path) -> list[str]:
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if not f.is_dir())


async def stored(folder: LocalFolder, name: str, *chunks: bytes) -> None:
    sink = await folder.begin(name)
    try:
        for chunk in chunks:
            await sink.write(chunk)
        await sink.commit()
    except BaseException:
        await sink.abort()
        raise


async def test_a_name_is_visible_only_whole(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path / "new")
    sink = await folder.begin("images/17.png")
    await sink.write(b"one, ")
    [part] = files(folder.root)
    assert part.startswith("images/17.png.")
    assert part.endswith(".part")
    await sink.write(b"two")
    await sink.commit()
    assert files(folder.root) == ["images/17.png"]
    assert (folder.root / "images/17.png").read_bytes() == b"one, two"


async def test_one_that_was_there_stays_until_it_is_replaced(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    (tmp_path / "17.png").write_bytes(b"old")
    sink = await folder.begin("17.png")
    await sink.write(b"half")
    assert (tmp_path / "17.png").read_bytes() == b"old"
    await sink.abort()
    assert files(tmp_path) == ["17.png"]
    assert (tmp_path / "17.png").read_bytes() == b"old"
    await stored(folder, "17.png", b"new")
    assert (tmp_path / "17.png").read_bytes() == b"new"


async def test_two_under_one_name_do_not_mix(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    chunks = [[bytes([n]) * 1000] * 20 for n in range(5)]
    await asyncio.gather(*(stored(folder, "17.png", *each) for each in chunks))
    assert files(tmp_path) == ["17.png"]
    assert (tmp_path / "17.png").read_bytes() in [b"".join(each) for each in chunks]


async def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    name = "ä" * 125 + ".png"
    await stored(LocalFolder(tmp_path), name, b"x")
    assert files(tmp_path) == [name]


async def test_it_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, list[str]]] = []
    fsync = os.fsync

    def watched(fd: int) -> None:
        name = Path(f"/dev/fd/{fd}").resolve().name
        seen.append((name, [f.name for f in tmp_path.glob("images/*.png")]))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    await stored(LocalFolder(tmp_path), "images/17.png", b"x")
    (new_folder, _), (part, before), (folder, after) = seen
    assert (new_folder, folder) == (tmp_path.name, "images")
    assert part.endswith(".part")
    assert (before, after) == ([], ["17.png"])


# Names


OUTSIDE = ["", ".", "..", "../x.png", "a/../../x.png", "/etc/x.png", "//host/share/x.png"]
ON_WINDOWS = ["C:x.png", "c:\\x.png", "\\x.png", "a\\..\\..\\x.png", "\\\\host\\share\\x.png"]
NO_FILE = ["a/", "a\\", "a/\0"]


@pytest.mark.parametrize("name", [*OUTSIDE, *ON_WINDOWS, *NO_FILE])
async def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    with pytest.raises(ValueError, match="Not the name"):
        await LocalFolder(root).begin(name)
    assert not root.exists()


async def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "images").symlink_to(outside)
    with pytest.raises(ValueError, match=r"leads 'images/new/17\.png' out of"):
        await LocalFolder(root).begin("images/new/17.png")
    assert list(outside.iterdir()) == []


async def test_links_that_stay_inside_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "images").symlink_to(tmp_path / "real")
    await stored(LocalFolder(tmp_path / "root"), "images/17.png", b"x")
    assert (tmp_path / "real" / "17.png").read_bytes() == b"x"


async def test_a_link_under_the_name_itself_is_replaced(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "mine.png"
    root.mkdir()
    outside.write_bytes(b"mine")
    (root / "17.png").symlink_to(outside)
    await stored(LocalFolder(root), "17.png", b"x")
    assert outside.read_bytes() == b"mine"
    assert not (root / "17.png").is_symlink()


async def test_a_link_under_the_part_s_name_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nanobanana_async._storage.uuid4", lambda: UUID(int=1))
    root, outside = tmp_path / "root", tmp_path / "mine.png"
    root.mkdir()
    (root / f"17.png.{'0' * 16}.part").symlink_to(outside)
    with pytest.raises(FileExistsError):
        await LocalFolder(root).begin("17.png")
    assert not outside.exists()


# What a disk cannot do


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is free at one look after another; the last one stays."""
    looks = [0]

    def disk_usage(_: Path) -> Any:
        return SimpleNamespace(free=looks.pop(0) if len(looks) > 1 else looks[0])

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    return looks


async def test_a_disk_that_is_full_before(tmp_path: Path, free: list[int]) -> None:
    free[:] = [256 * MIB - 1]
    with pytest.raises(OSError, match="Less than 256 MiB are left") as caught:
        await LocalFolder(tmp_path).begin("17.png")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "17.png")
    assert files(tmp_path) == []


async def test_a_disk_that_becomes_full(tmp_path: Path, free: list[int]) -> None:
    free[:] = [3 * MIB, 2 * MIB, MIB]
    with pytest.raises(OSError, match="Less than 2 MiB are left") as caught:
        await stored(LocalFolder(tmp_path, spare=2 * MIB), "17.png", *[bytes(MIB)] * 30)
    assert caught.value.errno == errno.ENOSPC
    assert free == [MIB]
    assert files(tmp_path) == []


@pytest.mark.usefixtures("free")
async def test_nothing_need_be_spared(tmp_path: Path) -> None:
    await stored(LocalFolder(tmp_path, spare=0), "17.png", b"x")
    assert files(tmp_path) == ["17.png"]


@pytest.mark.parametrize("call", ["write", "fsync"])
async def test_a_disk_that_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def broken(*_: Any) -> int:
        raise OSError(errno.EIO, "no more")

    folder = LocalFolder(tmp_path)
    await stored(folder, "1.png", b"x")
    monkeypatch.setattr(os, call, broken)
    with pytest.raises(OSError, match="no more"):
        await stored(folder, "17.png", b"x")
    monkeypatch.undo()
    assert files(tmp_path) == ["1.png"]


async def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "images").touch()
    with pytest.raises(OSError, match="images"):
        await LocalFolder(tmp_path).begin("images/17.png")


async def test_a_file_system_that_does_not_sync_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(fd: int) -> None:
        if Path(f"/dev/fd/{fd}").resolve().is_dir():
            raise OSError(errno.EINVAL, "a folder")

    monkeypatch.setattr(os, "fsync", refused)
    await stored(LocalFolder(tmp_path), "images/17.png", b"x")
    assert files(tmp_path) == ["images/17.png"]


# Cancelled, while a thread is at work


def stopping(monkeypatch: pytest.MonkeyPatch, call: str) -> tuple[threading.Event, threading.Event]:
    """Make one of the disk's calls wait: the events are its arrival and its leave to go on."""
    arrived, go_on = threading.Event(), threading.Event()
    real: Callable[..., Any] = getattr(os, call)

    def waiting(*args: Any, **options: Any) -> Any:
        if not arrived.is_set():
            arrived.set()
            assert go_on.wait(5)
        return real(*args, **options)

    monkeypatch.setattr(os, call, waiting)
    return arrived, go_on


def open_files() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - only their number counts


@pytest.mark.parametrize("call", ["open", "write", "fsync"])
async def test_cancelled_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    folder, before = LocalFolder(tmp_path), open_files()
    arrived, go_on = stopping(monkeypatch, call)
    task = asyncio.create_task(stored(folder, "17.png", b"x"))
    while not arrived.is_set():
        await asyncio.sleep(0.001)
    for _ in range(3):  # not even where it is cancelled again and again
        task.cancel()
        await asyncio.sleep(0.001)
    assert not task.done()  # the thread must not go on alone
    go_on.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert open_files() == before
    # Whole it may be, where the last step was being taken.
    assert files(tmp_path) == (["17.png"] if call == "fsync" else [])


async def test_cancelled_by_a_scope_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scope of anyio's cancels whatever is awaited in it from then on."""
    arrived, go_on = stopping(monkeypatch, "open")

    async def cancel(scope: anyio.CancelScope) -> None:
        while not arrived.is_set():
            await asyncio.sleep(0.001)
        scope.cancel()
        await asyncio.sleep(0.01)
        go_on.set()

    with anyio.CancelScope() as scope:
        canceller = asyncio.create_task(cancel(scope))
        await stored(LocalFolder(tmp_path), "17.png", b"x")
    await canceller
    assert scope.cancelled_caught
    assert files(tmp_path) == []
