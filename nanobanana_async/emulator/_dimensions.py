"""The size of a picture in pixels."""

from typing import Final

_SMALL: Final = 256
_FULL: Final = {"1K": 1_024, "2K": 2_048, "4K": 4_096}


def dimensions(aspect_ratio: str, resolution: str, *, full_size: bool) -> tuple[int, int]:
    """Return width and height; the longest side is 256 pixels, or the resolution's own."""
    longest = _FULL[resolution] if full_size else _SMALL
    across, down = (1, 1) if aspect_ratio == "auto" else map(int, aspect_ratio.split(":"))
    larger = max(across, down)
    return round(longest * across / larger), round(longest * down / larger)
