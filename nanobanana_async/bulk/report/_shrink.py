"""Makes a picture small. The only module of the report that needs Pillow; import it late."""

from io import BytesIO
from pathlib import Path
from typing import Final

try:
    from PIL import Image
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "The report needs Pillow to make thumbnails. Install it with: pip install pillow",
        name="PIL",
    ) from None

_SIDE: Final = 320
_WHITE: Final = (255, 255, 255)


def shrunk(source: Path) -> bytes | None:
    """Return a JPEG of 320 pixels at most; None where this is no picture that can be read."""
    try:
        with Image.open(source) as image:
            image.thumbnail((_SIDE, _SIDE))
            return _jpeg(image)
    except Exception:  # noqa: BLE001 - what Pillow raises for a broken file depends on the format
        return None


def _jpeg(image: Image.Image) -> bytes:
    """Encode it; what is transparent lies on white."""
    layered = image.convert("RGBA")
    flat = Image.new("RGB", layered.size, _WHITE)
    flat.paste(layered, mask=layered.getchannel("A"))
    file = BytesIO()
    flat.save(file, "JPEG", quality=80)
    return file.getvalue()
