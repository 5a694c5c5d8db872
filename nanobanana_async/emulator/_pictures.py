"""Draws a picture that shows its prompt. The only module that needs Pillow; import it late."""

import colorsys
from functools import lru_cache
from io import BytesIO
from textwrap import wrap
from typing import Final
from zlib import crc32

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

from nanobanana_async.emulator._wire import Picture

_Colour = tuple[int, int, int]

_LONGEST_TEXT: Final = 200
_SMALLEST_FONT: Final = 9.0
_WHITE: Final = (255, 255, 255)


def draw(picture: Picture) -> bytes:
    """Return the file's bytes. A full-size picture takes some tenths of a second of CPU."""
    dark, light = _palette(picture.prompt)
    shades = _shades(picture.width, picture.height)
    image = ImageOps.colorize(shades, black=dark, white=light)
    _write(image, _printable(picture.prompt), shadow=dark)
    file = BytesIO()
    # The fastest compression: full-size pictures are slow enough.
    image.save(file, picture.format, compress_level=1, quality=90)
    return file.getvalue()


# At most 4, since one of 4,096 pixels square takes 16 MB.
@lru_cache(maxsize=4)
def _shades(width: int, height: int) -> Image.Image:
    """Grey shades for the background: a slope from corner to corner, and three soft lights."""
    slope = Image.linear_gradient("L")
    image = ImageChops.add(slope, slope.rotate(90), scale=2.6).resize((width, height))
    short = min(width, height)
    for x, y, size in ((0.18, 0.25, 1.1), (0.85, 0.15, 0.7), (0.75, 0.9, 1.3)):
        side = max(1, round(short * size))
        corner = round(x * width - side / 2), round(y * height - side / 2)
        layer = Image.new("L", (width, height))
        layer.paste(_light().resize((side, side)), corner)
        image = ImageChops.add(image, layer)
    return image


def _light() -> Image.Image:
    # Pillow's gradient is 181 in the middle of each side: from there on it is dark.
    return Image.radial_gradient("L").point([max(0, 181 - value) // 3 for value in range(256)])


def _palette(prompt: str) -> tuple[_Colour, _Colour]:
    """Return a dark and a light colour that belong together, always the same for a prompt."""
    hue = crc32(prompt.encode(errors="replace")) % 360 / 360
    return _colour(hue, 0.30, 0.55), _colour(hue + 0.12, 0.72, 0.75)


def _colour(hue: float, lightness: float, saturation: float) -> _Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 1, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _printable(prompt: str) -> str:
    text = " ".join(prompt.encode(errors="replace").decode().split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def _write(image: Image.Image, text: str, *, shadow: _Colour) -> None:
    """Write the text in the middle, as large as fits."""
    canvas = ImageDraw.Draw(image)
    room = 0.86 * image.width, 0.86 * image.height
    size = max(room) / 8
    while not _fits(canvas, lines := _wrapped(text, size, room[0]), size, room):
        size *= 0.88
    canvas.multiline_text(
        (image.width / 2, image.height / 2),
        lines,
        fill=_WHITE,
        font=_font(size),
        anchor="mm",
        align="center",
        stroke_width=_stroke(size),
        stroke_fill=shadow,
    )


def _wrapped(text: str, size: float, width: float) -> str:
    per_line = int(width / _font(size).getlength("n"))
    return "\n".join(wrap(text, max(1, per_line)))


def _fits(canvas: ImageDraw.ImageDraw, lines: str, size: float, room: tuple[float, float]) -> bool:
    """Tell whether the lines fit; below the smallest legible size they are said to."""
    font = _font(size)
    left, top, right, bottom = canvas.multiline_textbbox(
        (0, 0), lines, font=font, stroke_width=_stroke(size)
    )
    return size <= _SMALLEST_FONT or (right - left <= room[0] and bottom - top <= room[1])


# Each call of Pillow's reads the whole font anew; sizes are few, since each follows from the last.
@lru_cache(maxsize=64)
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _stroke(size: float) -> int:
    return max(1, round(size / 14))
