"""The site as it is read: on a phone and on a desktop, in the light and in the dark."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.browser.browser import Browser

SITE = Path(__file__).parents[2] / "build" / "site"
PHONE = 390, 844
DESKTOP = 1280, 850

# What sticks out of a window of that width (a phone's would grow with its page), and is in
# nothing of the article's own that scrolls by itself.
TOO_WIDE = """
const scrolls = (element) => {
  for (let each = element; each.tagName !== "ARTICLE"; each = each.parentElement) {
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(each).overflowX)) return true;
  }
  return false;
};
const wide = [...document.querySelectorAll("article *")].filter((element) => {
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.right > arguments[0] + 1 && !scrolls(element);
});
return [document.documentElement.scrollWidth > arguments[0] ? "the page" : "", ...wide.map(
  (element) => `${element.tagName} ${element.textContent.slice(0, 40)}`)].filter(Boolean);
"""
# Pixels that a column of a terminal takes at least.
READABLE = 7.5
SEARCHED = "return document.querySelectorAll('#search-results li > a').length > 0"
PICTURES = "return [...document.images].every((each) => each.complete && each.naturalWidth > 0)"
LUMINANCE = """
const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g);
return 0.3 * red + 0.6 * green + 0.1 * blue;
"""


class Quiet(SimpleHTTPRequestHandler):
    """Writes no log."""

    def log_message(self, *_: Any) -> None:
        """Not even of errors: the browser complains of them."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    assert SITE.exists(), "make docs builds it"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def pages() -> list[str]:
    return sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html"))


def test_every_page_fits_and_needs_nothing_from_elsewhere(browser: Browser, site: str) -> None:
    assert len(pages()) > 30
    for page in pages():
        browser.driver.get(f"{site}/{page}")
        browser.run(
            "document.querySelectorAll('img').forEach((each) => { each.loading = 'eager' })"
        )
        browser.wait(PICTURES)
        for size, scheme in product((PHONE, DESKTOP), ("light", "dark")):
            browser.look(*size, scheme)
            assert not browser.run(TOO_WIDE, size[0]), (page, size)
            assert (browser.run(LUMINANCE) < 80) == (scheme == "dark"), page
        assert not browser.complaints(), page
    assert all(url.startswith((f"{site}/", "data:")) for url in browser.requests())


def test_what_is_too_wide_for_a_phone_scrolls_in_itself(browser: Browser, site: str) -> None:
    browser.look(*PHONE)
    for page, inner in (
        ("benchmarks", ".table-wrapper"),
        ("tutorial", "pre"),
        ("howto/command-line", "p.terminal"),
    ):
        browser.driver.get(f"{site}/{page}.html")
        script = f"""return [...document.querySelectorAll({inner!r})].some((each) => {{
          each.scrollLeft = 50;
          return each.scrollLeft > 0;
        }})"""
        assert browser.run(script), page


def test_a_terminal_can_be_read_on_a_phone(browser: Browser, site: str) -> None:
    browser.look(*PHONE)
    browser.driver.get(f"{site}/howto/command-line.html")
    pictures = browser.all("p.terminal img")
    assert len(pictures) > 4
    assert all(picture.size["width"] >= 80 * READABLE for picture in pictures)


@pytest.mark.parametrize(
    ("word", "page"),
    [
        ("timeout", "howto/timeouts.html"),
        ("webhook", "howto/webhooks.html"),
        ("cancel", "howto/timeouts.html"),
        ("bulk", "howto/bulk.html"),
    ],
)
def test_the_search_begins_with_the_page_about_it(
    browser: Browser, site: str, word: str, page: str
) -> None:
    browser.driver.get(f"{site}/search.html?q={word}")
    browser.wait(SEARCHED)
    (first, *_) = browser.all("#search-results li > a")
    assert page in (first.get_attribute("href") or "")


def test_the_search_finds_an_error(browser: Browser, site: str) -> None:
    browser.driver.get(f"{site}/index.html")
    browser.one(".sidebar-search").send_keys("SubmitUnknownError\n")
    browser.wait("return document.querySelectorAll('#search-results li a').length > 0")
    found = [link.get_attribute("href") or "" for link in browser.all("#search-results li a")]
    assert any(
        "reference/errors.html#nanobanana_async.SubmitUnknownError" in each for each in found
    )
    assert all(url.startswith((f"{site}/", "data:")) for url in browser.requests())
    # Sphinx cannot show the text around a name with a dot in it, and says so.
    assert all("Anchored content block not found" in each for each in browser.complaints())


def test_a_reader_who_wants_it_dark_gets_it(browser: Browser, site: str) -> None:
    browser.driver.get(f"{site}/index.html")
    light = browser.run(LUMINANCE)
    for _ in range(3):  # by the system, light, dark
        browser.click(".content-icon-container .theme-toggle")
        if browser.run(LUMINANCE) < light:
            break
    assert browser.run(LUMINANCE) < 80
    assert all("Changed to" in each for each in browser.complaints())
    browser.run("localStorage.clear()")
