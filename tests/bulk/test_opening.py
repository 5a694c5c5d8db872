"""Before anything is sent: every row is checked, and the folder is the one of this run."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from nanobanana_async import Limits
from nanobanana_async.bulk import (
    BulkError,
    BulkSettings,
    DiskError,
    FolderError,
    FolderInUseError,
    InputChangedError,
    InputError,
    InvalidRowsError,
    Prices,
)
from nanobanana_async.bulk._folder import Folder
from nanobanana_async.bulk._opening import Job, open_job
from nanobanana_async.bulk._prepare import requests_of


class Opener:
    """Opens a run again and again, as the same command does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = Folder(path / "run")

    def write(self, name: str, text: str) -> Path:
        (self.path / name).write_text(text)
        return self.path / name

    def open(self, source: Path | str, stdin: bytes = b"", **settings: Any) -> Job:
        with self.folder.owned():
            job = open_job(source, self.folder, BulkSettings(**settings), Limits(), BytesIO(stdin))
            job.manifest._file.close()  # type: ignore[union-attr]
        return job

    def files(self) -> set[str]:
        return (
            {one.name for one in self.folder.path.iterdir()} if self.folder.path.exists() else set()
        )


@pytest.fixture
def opener(tmp_path: Path) -> Opener:
    return Opener(tmp_path)


def prompts(job: Job) -> list[str]:
    return [request.prompt for _, request in requests_of(job.source, job.settings, job.rejected)]


BAD = "prompt,key,resolution\na,k,\nb,k,\nc,x,8K\nd,1,\ne,,\n"


def test_rows_at_fault_are_named_and_nothing_is_left(opener: Opener) -> None:
    source = opener.write("rows.csv", BAD)
    with pytest.raises(InvalidRowsError) as caught:
        opener.open(source)
    assert "2 of 5 rows of" in str(caught.value)
    assert "\n".join(map(str, caught.value.rejected)) == (
        "line 3: key: 'k' is the key of an earlier row, too\n"
        "line 4: resolution: '8K' must be one of 1K, 2K, 4K"
    )
    assert not opener.files()


def test_rows_that_are_left_out_stay_out(opener: Opener) -> None:
    source = opener.write("rows.csv", BAD)
    first = opener.open(source, skip_invalid=True)
    assert prompts(first) == ["a", "d", "e"]
    written = opener.folder.rejected.read_text()
    assert [json.loads(line)["line"] for line in written.splitlines()] == [3, 4]
    # What was to be left out must not be sent where somebody has touched the list.
    for spoil in ("", "rubbish\n", written.replace('"line": 3', '"line": 2'), None):
        opener.folder.rejected.unlink()
        if spoil is not None:
            opener.folder.rejected.write_text(spoil)
        assert prompts(opener.open(source, skip_invalid=True)) == ["a", "d", "e"]
        assert opener.folder.rejected.read_text() == written


def test_a_row_without_a_fault_is_needed(opener: Opener) -> None:
    source = opener.write("rows.jsonl", "[1]\n{}\n")
    with pytest.raises(InvalidRowsError, match="2 of 2 rows") as caught:
        opener.open(source, skip_invalid=True)
    assert "--skip-invalid" not in str(caught.value)
    with pytest.raises(InputError, match="holds no rows"):
        opener.open(opener.write("blank.txt", " \n\n"))
    assert not opener.files()


def test_a_key_of_a_row_at_fault_is_free(opener: Opener) -> None:
    source = opener.write("rows.jsonl", '{"key":"k"}\n{"prompt":"b","key":"k"}\n')
    assert prompts(opener.open(source, skip_invalid=True)) == ["b"]


def test_many_rows_at_fault_are_counted(opener: Opener) -> None:
    source = opener.write("rows.txt", "a\n" + f"{'x' * 20_001}\n" * 30)
    with pytest.raises(InvalidRowsError, match="30 of 31 rows") as caught:
        opener.open(source)
    assert (caught.value.count, len(caught.value.rejected)) == (30, 20)
    assert "(it has 20,001)" in str(caught.value.rejected[0])
    assert len(str(caught.value.rejected[0])) < 200


def test_a_first_pass_can_be_stopped(opener: Opener) -> None:
    source, settings = opener.write("rows.txt", "a\nb\n"), BulkSettings()
    with opener.folder.owned(), pytest.raises(BulkError, match="Stopped before"):
        open_job(source, opener.folder, settings, Limits(), stopped=lambda: True)
    assert not opener.files()


@pytest.mark.parametrize(
    ("source", "settings", "said"),
    [
        ("rows.txt", {"defaults": {"resolution": "8K"}}, "resolution='8K': must be one of"),
        ("rows.txt", {"defaults": {"aspect_ratio": "7:5"}}, "aspect_ratio='7:5': must be one"),
        ("rows.txt", {"defaults": {"size": 1}}, "no field named 'size'"),
        ("rows.txt", {"model": "nonsense"}, "model='nonsense': must be one of"),
        ("rows.txt", {"prices": Prices.parse("2K=1")}, "No price is given for 1K"),
    ],
)
def test_settings_that_no_row_can_have(
    opener: Opener, source: str, settings: dict[str, Any], said: str
) -> None:
    opener.write(source, "a\n")
    with pytest.raises(InputError, match=said):
        opener.open(opener.path / source, **settings)
    assert not opener.files()


def test_prices_are_checked_when_a_run_goes_on(opener: Opener) -> None:
    source = opener.write("rows.txt", "a\n")
    opener.open(source)
    with pytest.raises(InputError, match="No price is given for 1K"):
        opener.open(source, prices=Prices.parse("2K=1"))


def test_mended_rows_may_come_by_the_same_pipe(opener: Opener) -> None:
    with pytest.raises(InvalidRowsError):
        opener.open("-", b"[1]\n", format="jsonl")
    assert not opener.files()
    job = opener.open("-", b'{"prompt": "a"}\n', format="jsonl")
    assert prompts(job) == ["a"]
    assert prompts(opener.open("-", format="jsonl")) == ["a"]


@pytest.mark.parametrize(
    ("now", "settings", "said"),
    [
        ("rows.txt", {}, None),
        ("changed.txt", {}, "holds the run of .*rows.txt, and .*changed.txt is another input"),
        ("same.txt", {}, None),
        ("rows.txt", {"defaults": {"resolution": "2K"}}, "resolution was not given .* is 2K"),
        ("rows.txt", {"model": "nano-banana"}, "model was nano-banana-2 .* is nano-banana"),
        ("rows.txt", {"format": "csv"}, "format was txt .* is csv"),
    ],
)
def test_a_folder_is_of_one_input(
    opener: Opener, now: str, settings: dict[str, Any], said: str | None
) -> None:
    opener.write("rows.txt", "prompt\nb\n")
    opener.write("same.txt", "prompt\nb\n")
    opener.write("changed.txt", "prompt\nb\nc\n")
    opener.open(opener.path / "rows.txt")
    if said is None:
        opener.open(opener.path / now, **settings)
        return
    before = opener.folder.run_file.read_bytes()
    with pytest.raises(InputChangedError, match=said) as caught:
        opener.open(opener.path / now, **settings)
    assert "--accept-changed" in str(caught.value)
    assert opener.folder.run_file.read_bytes() == before
    job = opener.open(opener.path / now, **settings, accept_changed=True)
    assert job.run_file.reached > 1_000_000  # no line of another input proves anything
    opener.open(opener.path / now, **settings)


def test_an_input_that_was_edited(opener: Opener) -> None:
    source = opener.write("rows.txt", "a\n")
    opener.open(source)
    opener.write("rows.txt", "a\nb\n")
    with pytest.raises(InputChangedError, match="is not what it was when the run"):
        opener.open(source)


@pytest.mark.parametrize("text", ["", "rubbish", "[]", '{"version": 2}', '{"version": 1}', "null"])
def test_a_run_file_that_is_none(opener: Opener, text: str) -> None:
    source = opener.write("rows.txt", "a\n")
    opener.folder.path.mkdir()
    opener.folder.run_file.write_text(text)
    with pytest.raises(FolderError, match="Use another folder"):
        opener.open(source)


def test_each_field_of_the_run_file_is_looked_at(opener: Opener) -> None:
    source = opener.write("rows.txt", "a\n")
    opener.open(source)
    good = json.loads(opener.folder.run_file.read_text())
    for name in good.keys() - {"version"}:
        for value in (None, -1, [["a", 1, 2]]):
            opener.folder.run_file.write_text(json.dumps(good | {name: value}))
            with pytest.raises(FolderError, match=f"{name} is amiss"):
                opener.open(source)


@pytest.mark.parametrize("name", ["results.jsonl", "journal.db", "report.html", "images/1.png"])
def test_nothing_is_written_over(opener: Opener, name: str) -> None:
    source = opener.write("rows.txt", "a\n")
    (opener.folder.path / name).parent.mkdir(parents=True)
    (opener.folder.path / name).write_text("somebody's")
    with pytest.raises(FolderError, match=r"and no run\.json tells which run"):
        opener.open(source)
    assert opener.files() == {name.partition("/")[0]}


def test_a_folder_that_somebody_has(opener: Opener) -> None:
    with opener.folder.owned(), pytest.raises(FolderInUseError, match="in use by another run"):
        opener.open(opener.write("rows.txt", "a\n"))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("file", "is a file. Give a folder"),
        ("file/run", "cannot be written to: Not a directory. Use another"),
        ("x" * 300, "cannot be written to: File name too long"),
        ("made/" + "x" * 300, "cannot be written to: File name too long"),
        ("/proc/nanobanana", "cannot be written to"),
    ],
)
def test_a_folder_that_cannot_be(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=said), Folder(tmp_path / path).owned():
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_only_what_was_made_is_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with Folder(tmp_path / "mine" / "a" / "b").owned():
        assert (tmp_path / "mine" / "a" / "b" / ".lock").exists()
    assert not list((tmp_path / "mine").iterdir())


@pytest.mark.parametrize("spoil", [Folder.rejected, Folder.run_file], ids=["rejected", "run"])
def test_what_cannot_be_written_is_named(
    opener: Opener, spoil: property, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, replace = opener.write("rows.txt", "a\n"), Path.replace

    def full(path: Path, target: Path) -> Path:
        if target == fget(opener.folder):
            raise OSError(28, "No space left on device")
        return replace(path, target)

    fget: Callable[[Folder], Path] = spoil.fget  # type: ignore[assignment]
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DiskError, match="cannot be written: No space left"):
        opener.open(source)
