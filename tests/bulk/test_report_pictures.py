import json
import os
import sys
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from nanobanana_async.bulk.report import write_report
from nanobanana_async.bulk.report._inside import address
from tests.bulk.report_folder import Line, dot, failed, succeeded, with_picture, write_lines
from tests.bulk.report_page import Entry, Page


def drawn(width: int, height: int, mode: str = "RGB", form: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new(mode, (width, height)).save(file, form)
    return file.getvalue()


def pointing_to(file: str, number: int = 1) -> Line:
    return succeeded(number, pictures=[{"file": file, "sha256": f"{number:064x}"}])


def only_picture(folder: Path) -> Entry:
    (row,) = Page(folder).rows
    picture: Entry = row["pictures"][0]
    return picture


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (drawn(800, 400), (320, 160)),
        (drawn(100, 900, form="JPEG"), (36, 320)),
        (drawn(64, 64, "RGBA"), (64, 64)),
        (drawn(640, 640, "L"), (320, 320)),
        (drawn(640, 640, "P"), (320, 320)),
    ],
    ids=["wide", "tall jpeg", "small, transparent", "grey", "palette"],
)
def test_a_thumbnail_is_named_by_the_checksum_and_320_pixels_at_most(
    tmp_path: Path, data: bytes, size: tuple[int, int]
) -> None:
    write_lines(tmp_path, [with_picture(succeeded(1), tmp_path, data)])
    thumbnail = only_picture(tmp_path)["thumbnail"]
    assert thumbnail == f"./thumbnails/{sha256(data).hexdigest()}.jpg"
    with Image.open(tmp_path / thumbnail) as image:
        image.load()
        assert (image.size, image.mode, image.format) == (size, "RGB", "JPEG")


def test_thumbnails_are_made_once(tmp_path: Path) -> None:
    lines = [with_picture(succeeded(n), tmp_path, dot(n % 5, "")) for n in range(200)]
    write_lines(tmp_path, lines)
    write_report(tmp_path)
    thumbnails = tmp_path / "thumbnails"
    first = {file.name: file.stat().st_mtime_ns for file in thumbnails.iterdir()}
    assert len(first) == 5
    write_lines(tmp_path, [with_picture(succeeded(300), tmp_path, dot(77, ""))])
    assert all("thumbnail" in row["pictures"][0] for row in Page(tmp_path).rows)
    second = {file.name: file.stat().st_mtime_ns for file in thumbnails.iterdir()}
    assert len(second) == 6
    assert first.items() < second.items()


@pytest.mark.parametrize("data", [b"", b"no picture", drawn(64, 64)[:60], b"\x89PNG\r\n\x1a\n"])
def test_a_broken_picture_has_a_place_of_its_own(tmp_path: Path, data: bytes) -> None:
    whole = with_picture(succeeded(2), tmp_path, dot(2, ""))
    broken = with_picture(succeeded(1), tmp_path, dot(1, ""))
    (tmp_path / "images" / "1.png").write_bytes(data)
    write_lines(tmp_path, [broken, whole])
    page = Page(tmp_path)
    first, second = page.rows
    assert first["pictures"][0]["fault"] == first["reason"] == "picture cannot be read"
    assert "thumbnail" in second["pictures"][0]
    assert page.about["reasons"] == {"picture cannot be read": 1}


def test_a_picture_that_is_gone_is_named(tmp_path: Path) -> None:
    write_lines(tmp_path, [with_picture(succeeded(1), tmp_path, dot(1, ""))])
    (tmp_path / "images" / "1.png").unlink()
    picture = only_picture(tmp_path)
    assert picture["fault"] == "picture missing"
    assert "address" not in picture


def test_no_path_leads_out_of_the_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "run", tmp_path / "run-2"
    for place in (folder / "images", outside):
        place.mkdir(parents=True)
    secret = outside / "secret.png"
    secret.write_bytes(dot(1, ""))
    (folder / "images" / "link.png").symlink_to(secret)
    (folder / "away").symlink_to(outside)
    # A disk follows the link before it goes up, a browser does not: it would leave the folder.
    (folder / "images" / "deep" / "deeper").mkdir(parents=True)
    (folder / "images" / "x.png").write_bytes(dot(1, ""))
    (folder / "short").symlink_to(folder / "images" / "deep" / "deeper")
    files = [
        "../run-2/secret.png",
        "images/../../run-2/secret.png",
        "images/link.png",
        "away/secret.png",
        "short/../../x.png",
        str(secret),
        f"/{secret}",
        secret.as_uri(),
        "..\\run-2\\secret.png",
        "images",
        "images/",
        "\0/x.png",
        "\ud800",
    ]
    lines = [pointing_to(file, n) for n, file in enumerate(files)]
    (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = Page(folder).rows
    assert [row["pictures"][0].get("fault") for row in rows] == ["picture missing"] * len(files)
    assert not any("address" in row["pictures"][0] for row in rows)
    assert not list((folder / "thumbnails").iterdir())


@pytest.mark.parametrize("checksum", [None, "", "../../evil", "A" * 64, 7, "0" * 63])
def test_a_checksum_that_is_none_names_no_file(tmp_path: Path, checksum: object) -> None:
    line = with_picture(succeeded(1), tmp_path, dot(1, ""))
    line["pictures"][0]["sha256"] = checksum
    write_lines(tmp_path, [line])
    name = Path(only_picture(tmp_path)["thumbnail"]).name
    assert len(name) == 68
    assert [file.name for file in (tmp_path / "thumbnails").iterdir()] == [name]


def test_an_address_is_never_a_scheme_and_holds_any_name() -> None:
    assert address("javascript:alert(1)") == "./javascript%3Aalert%281%29"
    assert address("images/a b#c?d%é.png") == "./images/a%20b%23c%3Fd%25%C3%A9.png"
    assert address(os.fsdecode(b"\xff.png")) == "./%FF.png"


def test_each_picture_of_a_row_is_there(tmp_path: Path) -> None:
    pair = [with_picture(succeeded(n), tmp_path, dot(n, "")) for n in (1, 2)]
    both = [*pair[0]["pictures"], *pair[1]["pictures"]]
    write_lines(tmp_path, [succeeded(1, pictures=both)])
    (row,) = Page(tmp_path).rows
    assert [picture["file"] for picture in row["pictures"]] == ["images/1.png", "images/2.png"]
    assert "urls" not in row


def test_without_a_picture_its_address_helps(tmp_path: Path) -> None:
    write_lines(tmp_path, [failed(1, kind=4)])
    (row,) = Page(tmp_path).rows
    assert row["urls"] == ["https://example.com/1.png"]


def test_without_pillow_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "nanobanana_async.bulk.report._shrink", raising=False)
    write_lines(tmp_path, [succeeded(1)])
    write_report(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(b"")
    write_lines(tmp_path, [pointing_to("images/1.png")])
    with pytest.raises(ModuleNotFoundError, match="pip install pillow") as caught:
        write_report(tmp_path)
    assert caught.value.name == "PIL"


def test_a_full_disk_is_not_taken_for_a_broken_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    write_lines(tmp_path, [with_picture(succeeded(1), tmp_path, dot(1, ""))])
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_report(tmp_path)
