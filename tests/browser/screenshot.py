"""Takes the picture of a report that the docs show: `python -m tests.browser.screenshot`."""

from io import BytesIO
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image

from nanobanana_async.bulk.report import write_report
from nanobanana_async.emulator import Picture
from nanobanana_async.emulator._pictures import draw
from tests.browser.browser import SHOWN, chromium
from tests.bulk.report_folder import write_run

_TARGET: Final = Path(__file__).parents[2] / "docs" / "pictures" / "report.png"
_SCREEN: Final = 1200, 790

_SCENES: Final = ("in the snow", "at dusk", "in watercolour", "from above", "in the rain")
_THINGS: Final = (
    *("a red fox", "a lake", "a tea house", "an old tram", "two owls", "a harbour"),
    *(
        "a paper crane",
        "a night market",
        "a glass city",
        "a stone bridge",
        "a kite",
        "a sleeping cat",
    ),
)
_SHAPES: Final = ((480, 320), (400, 400), (320, 480), (480, 270))
_BAD: Final = {5, 14, 31, 44, 58}


def _drawn(number: int, prompt: str) -> bytes:
    return draw(Picture(prompt, *_SHAPES[number * 7 % len(_SHAPES)], "png"))


def main() -> None:
    """Make a run of sixty rows, open its report, and write what is on the screen."""
    prompts = [f"{thing} {scene}" for scene, thing in product(_SCENES, _THINGS)]
    with TemporaryDirectory() as place, chromium() as browser:
        write_run(Path(place), prompts, bad=_BAD, draw=_drawn)
        write_report(Path(place))
        browser.look(*_SCREEN)
        browser.open(Path(place))
        browser.wait(SHOWN)
        seen = Image.open(BytesIO(browser.driver.get_screenshot_as_png()))
        seen.convert("RGB").save(_TARGET, optimize=True)


if __name__ == "__main__":
    main()
