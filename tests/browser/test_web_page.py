"""The page of the FastAPI example as people have it: a prompt, progress, a picture."""

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from nanobanana_async.emulator import LogNormal
from tests.browser.browser import PHONE, Browser
from tests.browser.site import site

STATUS = "return document.getElementById('status').textContent"
SHOWN = "const i = document.querySelector('figure img'); return i?.complete && i.naturalWidth"
WIDE = "return document.documentElement.scrollWidth - innerWidth"
PAPER = "return getComputedStyle(document.body).backgroundColor"
HOSTILE = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with site(tmp_path_factory.mktemp("site"), LogNormal(1.5, 0.1)) as served:
        yield served


@pytest.fixture
def page(browser: Browser, url: str) -> Browser:
    browser.driver.get("about:blank")  # or an address with another #… would be the same page
    browser.driver.get(url)
    return browser


def ask(page: Browser, prompt: str) -> None:
    page.one("#prompt").clear()
    page.one("#prompt").send_keys(prompt)
    page.click("button")


def test_a_prompt_is_typed_progress_is_seen_and_then_the_picture(page: Browser, url: str) -> None:
    assert not page.one("section").is_displayed()
    ask(page, "a lighthouse in a storm")
    page.wait(f"{STATUS} === 'Drawing…'")
    assert page.one("progress").is_displayed()
    page.wait("return document.getElementById('seconds').textContent === '1 s'")
    page.wait(SHOWN)
    assert page.text("#status") == "Done"
    assert page.text("#seconds").endswith(" s")
    assert page.text("blockquote") == "a lighthouse in a storm"
    assert not page.one("progress").is_displayed()
    assert page.one("figure img").get_attribute("alt") == "a lighthouse in a storm"
    assert all(asked.startswith((url, "data:,", "about:")) for asked in page.requests())


def test_a_refused_prompt_is_said_and_the_next_one_is_drawn(page: Browser) -> None:
    ask(page, "a forbidden lighthouse")
    page.wait("return document.getElementById('error').textContent.includes('refused')")
    assert page.one("#error").get_attribute("role") == "alert"
    assert page.text("#status") == ""
    assert not page.one("progress").is_displayed()
    ask(page, "a lighthouse")
    assert page.text("#error") == ""
    page.wait(SHOWN)


def test_after_a_reload_the_picture_comes_all_the_same(page: Browser) -> None:
    ask(page, HOSTILE)
    page.wait("return location.hash.length === 37")
    page.driver.refresh()
    page.wait(SHOWN)
    assert page.text("blockquote") == HOSTILE
    assert page.driver.title == "Draw a picture"


def test_everything_by_keyboard(page: Browser) -> None:
    page.press(Keys.TAB)
    assert page.run("return document.activeElement.id") == "prompt"
    page.press("a kite", Keys.TAB, Keys.SPACE)
    assert page.run("return document.activeElement.localName") == "button"
    assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.wait(SHOWN)
    assert page.run("return document.activeElement.localName") == "button"


def test_it_fits_a_phone_and_is_dark_where_people_like_it_dark(page: Browser) -> None:
    light = page.run(PAPER)
    page.look(*PHONE, "dark")
    assert page.run(PAPER) != light
    ask(page, "a " + "very" * 60 + " long word")
    page.wait(SHOWN)
    assert page.run(WIDE) <= 0
    assert page.one("button").size["height"] >= 44


def test_the_policy_lets_no_other_script_in(page: Browser) -> None:
    refused = page.driver.execute_async_script("""
        const done = arguments[arguments.length - 1];
        addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
        document.body.append(Object.assign(document.createElement("script"), { text: "1" }));
    """)
    assert refused == "script-src-elem"
    assert len(page.complaints()) == 1
