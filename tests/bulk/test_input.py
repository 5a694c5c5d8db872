"""Where rows come from: files, packed ones, pipes, and what an earlier run has kept of them."""

import gzip
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from nanobanana_async.bulk import BulkSettings, DiskError, InputError
from nanobanana_async.bulk._folder import Folder
from nanobanana_async.bulk._input import Input, find_input
from nanobanana_async.bulk._prepare import requests_of

ROWS = b"a cat\na dog\n"


class Terminal(BytesIO):
    def isatty(self) -> bool:
        return True

    def read(self, _: int | None = -1) -> bytes:
        raise AssertionError("somebody would have to type")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "run").mkdir()
    return Folder(tmp_path / "run")


def error_of(find: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        find()
    assert str(caught.value).endswith("Nothing was sent")
    return str(caught.value)


def kept(folder: Folder, content: bytes, **options: Any) -> Input:
    return find_input("-", None, folder, stdin=BytesIO(content), **options).keep()


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.txt", "txt"), ("a.CSV", "csv"), ("a.b.jsonl", "jsonl"), ("a.txt.gz", "txt")],
)
def test_a_file_is_read_where_it_is(tmp_path: Path, folder: Folder, name: str, form: str) -> None:
    path = tmp_path / name
    path.write_bytes(ROWS)
    found = find_input(path, None, folder)
    assert (found.path, found.form) == (path, form)
    found.discard()
    assert found.keep().path == path
    assert not list(folder.path.iterdir())


def test_what_is_no_file(tmp_path: Path, folder: Folder) -> None:
    (tmp_path / "plain").touch()
    assert "does not exist" in error_of(lambda: find_input(tmp_path / "no.txt", None, folder))
    assert "File name too long" in error_of(lambda: find_input("x" * 300, "txt", folder))
    assert "is a folder" in error_of(lambda: find_input(tmp_path, None, folder))
    assert "is a device" in error_of(lambda: find_input("/dev/zero", "txt", folder))
    ending = error_of(lambda: find_input(tmp_path / "plain", None, folder))
    assert "does not end in .txt, .csv, .jsonl. Say with --format" in ending
    assert find_input(tmp_path / "plain", "csv", folder).form == "csv"


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_a_packed_file_is_unpacked_once_its_rows_are_in_order(
    tmp_path: Path, folder: Folder, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(ROWS))
    find_input(path, None, folder).discard()
    assert not list(folder.path.iterdir())
    found = find_input(path, None, folder).keep()
    assert found.path.read_bytes() == ROWS
    assert [one.name for one in folder.path.iterdir()] == ["input.txt"]


@pytest.mark.parametrize(
    "content",
    [b"\x1f\x8bnothing like it", gzip.compress(os.urandom(9_000))[:4_000], b"\x1f\x8b"],
    ids=["rubbish", "cut off", "begun"],
)
def test_a_broken_packed_file_leaves_nothing(
    tmp_path: Path, folder: Folder, content: bytes
) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(content)
    assert "is no whole gzip file" in error_of(lambda: find_input(path, None, folder))
    assert "standard input is no whole gzip file" in error_of(lambda: kept(folder, content))
    assert not list(folder.path.iterdir())


def test_standard_input_is_kept_and_stands_in_for_none(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kept(folder, ROWS)
    assert (first.path.read_bytes(), first.form, first.title) == (ROWS, "txt", "standard input")
    for stdin in (BytesIO(), Terminal()):
        again = find_input("-", None, folder, stdin=stdin)
        again.discard()
        assert again.keep().path == first.path
    monkeypatch.setattr("sys.stdin", None)
    assert find_input("-", None, folder).path == first.path
    assert first.path.read_bytes() == ROWS
    assert "is closed" in error_of(lambda: find_input("-", "csv", folder))


def test_packed_standard_input(folder: Folder) -> None:
    assert kept(folder, gzip.compress(ROWS)).path.read_bytes() == ROWS
    assert [one.name for one in folder.path.iterdir()] == ["input.txt"]


def test_other_rows_replace_the_copy_only_when_they_are_kept(folder: Folder) -> None:
    kept(folder, ROWS)
    other = find_input("-", None, folder, stdin=BytesIO(b"a cow\n"))
    other.discard()
    assert folder.input_copy.with_suffix(".txt").read_bytes() == ROWS
    assert kept(folder, b"a cow\n").path.read_bytes() == b"a cow\n"


def test_a_pipe_with_a_name_is_copied_whole(tmp_path: Path, folder: Folder) -> None:
    """Read twice, it would have lost what the first look took."""
    reader, writer = os.pipe()
    os.write(writer, ROWS)
    os.close(writer)
    try:
        found = find_input(f"/dev/fd/{reader}", "txt", folder, scratch=tmp_path)
    finally:
        os.close(reader)
    assert found.path == tmp_path / "input.txt.part"
    assert found.path.read_bytes() == ROWS


def test_a_disk_that_is_full_is_not_blamed_on_the_input(folder: Folder) -> None:
    (folder.path / "input.txt.part").symlink_to("/dev/full")
    with pytest.raises(DiskError, match=r"input.txt.part cannot be written: No space left"):
        find_input("-", None, folder, stdin=BytesIO(ROWS))
    assert not list(folder.path.iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.write_text("prompt\nx\ny\n"), "was changed meanwhile"),
        (Path.unlink, "cannot be read: No such file"),
    ],
    ids=["changed", "removed"],
)
def test_rows_that_change_while_they_are_sent(
    tmp_path: Path, folder: Folder, change: Callable[[Path], object], said: str
) -> None:
    """They were not checked, and might have the key of a row that was sent already."""
    path = tmp_path / "rows.csv"
    path.write_text("prompt\na\nb\n")
    rows = requests_of(find_input(path, None, folder).seen(), BulkSettings(), frozenset())
    assert next(rows)[1].prompt == "a"
    change(path)
    with pytest.raises(DiskError, match=said) as caught:
        next(rows)
    assert "Nothing more was submitted" in str(caught.value)
