"""A headless Chromium with a report open, and what the tests ask it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

DESKTOP = 1280, 850
PHONE = 360, 740

# The thumbnails of the cards on the screen are loaded.
SHOWN = """
const images = [...document.querySelectorAll("#sheet img")];
const near = images.filter((image) => {
  const box = image.getBoundingClientRect();
  return box.bottom > 0 && box.top < innerHeight;
});
return near.length > 0 && near.every((image) => image.complete && image.naturalWidth > 0);
"""


@frozen
class Browser:
    """One window."""

    driver: webdriver.Chrome

    def open(self, folder: Path) -> None:
        self.driver.get((folder / "report.html").as_uri())

    def look(self, width: int, height: int, scheme: str = "light") -> None:
        """Be a screen of that size, of somebody who likes it light or dark."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        mobile = {"mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics | mobile)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return self.one(selector).text

    def click(self, selector: str) -> None:
        self.one(selector).click()

    def press(self, *keys: str) -> None:
        """Press keys wherever the keyboard is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def search(self, words: str) -> None:
        field = self.one("#search")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(Keys.DELETE, *words)

    def choose(self, field: str, value: str) -> None:
        self.click(f"#{field} option[value='{value}']")

    def wait(self, script: str) -> None:
        WebDriverWait(self.driver, 10, 0.02).until(lambda _: self.run(script))

    def keys(self) -> list[str]:
        """The cards that are in the page."""
        return [each.text for each in self.all("#sheet .key")]

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def requests(self) -> list[str]:
        """Every URL that was asked for since the last time."""
        entries = self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        asked = [each for each in messages if each["method"] == "Network.requestWillBeSent"]
        return [each["params"]["request"]["url"] for each in asked]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start one, and end it."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    # Without a sandbox, since tests of containers run as root.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    service = Service(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
