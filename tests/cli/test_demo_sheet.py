"""One picture of many."""

from pathlib import Path

import pytest
from PIL import Image

from nanobanana_async.cli.demo._sheet import make_sheet

GROUND = (24, 24, 28)
RED = (200, 0, 0)


def drawn(folder: Path, size: tuple[int, int]) -> Path:
    path = folder / "{}x{}.png".format(*size)
    Image.new("RGB", size, RED).save(path)
    return path


def test_each_lies_whole_in_the_middle_of_its_place(tmp_path: Path) -> None:
    wide, high = drawn(tmp_path, (1_000, 500)), drawn(tmp_path, (100, 200))
    target = tmp_path / "sheet.png"
    make_sheet([wide, high], target)
    with Image.open(target) as sheet:
        assert sheet.size == (512, 256)
        reds = [(2, 128), (253, 128), (128, 66), (128, 189), (384, 29), (384, 226), (335, 128)]
        grounds = [(0, 128), (255, 128), (128, 60), (128, 195), (384, 27), (384, 228), (331, 128)]
        assert [sheet.getpixel(at) for at in reds] == [RED] * 7
        assert [sheet.getpixel(at) for at in grounds] == [GROUND] * 7


def test_a_thousand_have_small_places_on_one_sheet(tmp_path: Path) -> None:
    target = tmp_path / "sheet.png"
    make_sheet([drawn(tmp_path, (64, 64))] * 1_000, target)
    with Image.open(target) as sheet:
        assert sheet.size == (39 * 61, 26 * 61)
        assert sheet.getpixel((39 * 61 - 30, 30)) == RED


def test_what_cannot_be_read_leaves_its_place_empty(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    target = tmp_path / "sheet.png"
    make_sheet([tmp_path / "missing.png", broken, drawn(tmp_path, (10, 10))], target)
    with Image.open(target) as sheet:
        colours = [sheet.getpixel((x, y)) for x, y in [(128, 128), (384, 128), (640, 128)]]
        assert colours == [GROUND, GROUND, RED]


def test_when_it_is_over_nothing_is_written(tmp_path: Path) -> None:
    make_sheet([drawn(tmp_path, (10, 10))], tmp_path / "sheet.png", lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["10x10.png"]


def test_one_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(OSError, match=r"sheet\.png"):
        make_sheet([drawn(tmp_path, (10, 10))], tmp_path / "sheet.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["10x10.png", "sheet.png"]
