import sys
from io import BytesIO

import pytest
from PIL import Image, ImageChops

from nanobanana_async.emulator import Picture
from nanobanana_async.emulator._gallery import render
from nanobanana_async.emulator._pictures import draw

LONG = "word " * 4_000
HARD = ["x", " ", "x" * 20_000, LONG, "ネコ 🐈", "a\ud800b", "line\n\n\tline\0"]


def opened(picture: Picture) -> Image.Image:
    image = Image.open(BytesIO(draw(picture)))
    image.load()
    return image


@pytest.mark.parametrize(("form", "mime"), [("png", "image/png"), ("jpeg", "image/jpeg")])
@pytest.mark.parametrize("size", [(256, 256), (256, 32), (32, 256), (256, 110), (1_024, 683)])
def test_it_is_a_real_picture_of_the_asked_size(
    form: str, mime: str, size: tuple[int, int]
) -> None:
    image = opened(Picture("a cozy cyberpunk cafe", *size, form))
    assert (image.size, image.mode, image.get_format_mimetype()) == (size, "RGB", mime)  # type: ignore[attr-defined]


@pytest.mark.parametrize("prompt", HARD, ids=lambda prompt: repr(prompt[:10]))
def test_any_prompt_can_be_drawn(prompt: str) -> None:
    assert opened(Picture(prompt, 256, 144, "png")).size == (256, 144)


def test_the_prompt_stands_in_the_middle_and_inside() -> None:
    image = opened(Picture("a watercolour fox under a street lamp", 256, 256, "png"))
    white = image.convert("L").point([value > 250 for value in range(256)])
    box = white.getbbox()
    assert box is not None
    left, top, right, bottom = box
    assert min(left, top, 256 - right, 256 - bottom) >= 0.05 * 256
    assert abs((left + right) / 2 - 128) < 15
    assert abs((top + bottom) / 2 - 128) < 15


def test_a_prompt_always_gives_the_same_picture_and_another_one_another() -> None:
    fox, same, cat = (draw(Picture(p, 128, 128, "png")) for p in ("fox", "fox", "cat"))
    assert fox == same
    pictures = (Image.open(BytesIO(data)) for data in (fox, cat))
    assert ImageChops.difference(*pictures).getbbox() is not None


def test_the_answer_has_the_type_of_its_format() -> None:
    answer = render(Picture("x", 32, 32, "jpeg"))
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.body.startswith(b"\xff\xd8\xff")


def test_without_pillow_the_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanobanana_async.emulator._pictures", None)
    answer = render(Picture("x", 32, 32, "png"))
    assert answer.status == 501
    assert b"Pillow" in answer.body
