"""Takes the picture of the web page that the docs show: `PYTHONPATH=docs/examples python -m tests.browser.web_screenshot`."""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image

from nanobanana_async.emulator import LogNormal
from tests.browser.browser import chromium
from tests.browser.site import site

_TARGET: Final = Path(__file__).parents[2] / "docs" / "pictures" / "web-page.png"
_SCREEN: Final = 720, 700
_DRAWN: Final = "return document.querySelector('figure img')?.naturalWidth > 0"


def main() -> None:
    """Have a picture drawn, and write what is on the screen."""
    with (
        TemporaryDirectory() as place,
        site(Path(place), LogNormal(3.0, 0.1)) as url,
        chromium() as browser,
    ):
        browser.look(*_SCREEN)
        browser.driver.get(url)
        browser.one("#prompt").send_keys("A lighthouse in a storm, in watercolour")
        browser.click("button")
        browser.wait(_DRAWN)
        seen = Image.open(BytesIO(browser.driver.get_screenshot_as_png()))
        seen.convert("RGB").save(_TARGET, optimize=True)


if __name__ == "__main__":
    main()
