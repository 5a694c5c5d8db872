"""The report as its reader has it: in a real browser, from the disk."""

import json
from pathlib import Path
from time import monotonic

import pytest
from selenium.webdriver.common.keys import Keys

from nanobanana_async.bulk.report import write_report
from tests.browser.browser import DESKTOP, PHONE, SHOWN, Browser
from tests.browser.conftest import BAD, ROWS
from tests.bulk.report_folder import dot, failed, succeeded, with_picture, write_lines, write_run

HOSTILE = (
    "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"
    "'\"&lt;\u2028</script <!--<script "
)
OPEN = "return document.getElementById('viewer').open"


def test_the_first_screen_shows_what_became_of_the_run(page: Browser) -> None:
    page.wait(SHOWN)
    assert page.text("h1") == "prompts.csv"
    assert "300 rows asked for · 295 pictures here · 1 rejected" in page.text("#asked")
    assert page.text(".chip[data-state=succeeded] strong") == "295"
    assert page.text("#tab-failures .count") == "6"
    assert page.keys()[:3] == ["1", "2", "3"]


def test_nothing_leaves_the_folder(page: Browser, folder: Path) -> None:
    page.wait(SHOWN)
    page.click("li[data-index='3'] .card")
    page.press(Keys.ESCAPE)
    for view in ("failures", "plots", "pictures"):
        page.click(f"#tab-{view}")
    asked = page.requests()
    assert len(asked) > 10
    assert all(url.startswith((f"{folder.as_uri()}/", "data:,")) for url in asked), asked


def test_even_a_script_in_the_page_has_no_network(page: Browser) -> None:
    """The policy holds: what a hostile text could try is refused, and said in the log."""
    refused = page.driver.execute_async_script("""
        const done = arguments[arguments.length - 1];
        const seen = [];
        document.addEventListener("securitypolicyviolation", (event) => {
          seen.push(event.effectiveDirective);
          if (seen.length === 3) done(seen.sort());
        });
        const add = (tag, rest) => document.body.append(Object.assign(document.createElement(tag), rest));
        fetch("https://example.com/").catch(() => {});
        add("img", { src: "https://example.com/x.png" });
        add("script", { textContent: "document.title = 'hacked'" });
    """)
    assert refused == ["connect-src", "img-src", "script-src-elem"]
    assert len(page.complaints()) >= 3
    assert page.driver.title != "hacked"


def test_search_finds_prompts_keys_and_task_ids(page: Browser) -> None:
    page.search("FOX lamp 111")
    assert page.keys() == ["111"]
    assert page.text("#found") == "1 of 300 rows"
    page.search("task_000042")
    assert page.keys() == ["42"]
    page.search("no such words")
    assert page.keys() == []
    assert page.one("#nothing").is_displayed()
    page.click("#clear")
    assert page.text("#found") == "300 rows"
    assert page.keys()[0] == "1"


def test_filters_work_together(page: Browser, folder: Path) -> None:
    page.click(".chip[data-state=failed]")
    assert page.keys() == ["17", "111", "112"]
    page.click(".chip[data-state=unknown]")
    assert page.keys() == ["17", "111", "112", "299"]
    page.choose("reason", "CONTENT_VIOLATION")
    found = page.keys()
    assert 0 < len(found) < 4
    page.click("#clear")
    page.choose("resolution", "4K")
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    large = sorted(line["row"] for line in lines if line["request"]["resolution"] == "4K")
    assert page.text("#found") == f"{len(large)} of 300 rows"
    assert page.keys()[:8] == [str(row) for row in large[:8]]
    page.search("fox")
    foxes = [row for row in large if row % 3 == 0]
    assert page.keys() == [str(row) for row in foxes]
    page.click(".chip[data-state=failed]")
    page.click(".chip[data-state=failed]")
    assert page.one(".chip[data-state=failed]").get_attribute("aria-pressed") == "false"


def test_the_failure_list_says_why(page: Browser) -> None:
    page.click("#tab-failures")
    items = page.all("#failure-list > li")
    assert [item.find_element("css selector", ".key").text for item in items] == [
        str(number) for number in sorted(BAD)
    ]
    assert "CONTENT_VIOLATION" in page.text("#failure-list")
    assert "The connection broke before the answer." in page.text("#failure-list")
    assert "Line 302" in page.text("#rejected-list")
    assert "prompt is empty" in page.text("#rejected-list")
    items[1].find_element("css selector", ".key").click()
    assert page.text("#viewer-title") == "Row 111"
    assert page.text("#position") == "2 of 5"
    page.press(Keys.ARROW_RIGHT)
    assert page.text("#viewer-title") == "Row 112"


def test_the_large_view_tells_all(page: Browser) -> None:
    page.click("li[data-index='41'] .card")
    page.wait("return document.querySelector('#stage img').naturalWidth === 8")
    said = page.text("#viewer")
    for words in (
        "a fox under lamp 42",
        "task_000042",
        "images/42.png",
        "3:2",
        "8 \N{MULTIPLICATION SIGN} 6",
        "Succeeded",
    ):
        assert words in said


def test_everything_by_keyboard(page: Browser) -> None:
    page.press("/")
    assert page.run("return document.activeElement.id") == "search"
    page.press("l", "a", "m", "p", Keys.ENTER)
    assert focused(page) == 0
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert focused(page) == 2
    page.press(Keys.ARROW_DOWN)
    columns = focused(page) - 2
    assert columns >= 4
    page.press(Keys.ARROW_UP, Keys.ARROW_LEFT, Keys.ENTER)
    assert page.run(OPEN)
    assert page.text("#viewer-title") == "Row 2"
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ESCAPE)
    assert not page.run(OPEN)
    # The browser tells of the closing a moment later.
    page.wait("return document.activeElement.closest('li')?.dataset.index === '3'")
    page.press(Keys.END)
    assert focused(page) == ROWS - 1
    assert in_sight(page)
    page.press(Keys.PAGE_UP)
    assert columns <= ROWS - 1 - focused(page) < 60
    page.press(Keys.HOME)
    assert focused(page) == 0
    assert in_sight(page)
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_each_view_keeps_its_place_and_a_search_begins_at_the_top(page: Browser) -> None:
    page.run("scrollTo(0, 5000)")
    page.click("#tab-failures")
    assert page.run("return scrollY") < 1_000
    page.click("#tab-pictures")
    assert page.run("return scrollY") == 5_000
    page.search("lamp")
    assert page.text("#found") == "300 of 300 rows"
    page.wait("return document.querySelector(\"li[data-index='0']\") !== null")
    assert page.run("return scrollY") < 1_000


def test_tab_leads_through_and_the_tabs_turn_by_arrows(page: Browser) -> None:
    reached = []
    for _ in range(14):
        page.press(Keys.TAB)
        reached.append(page.run("const a = document.activeElement; return a.id || a.className"))
    for each in ("tab-pictures", "search", "resolution", "reason", "size", "card"):
        assert each in reached
    page.run("document.getElementById('tab-pictures').focus()")
    page.press(Keys.ARROW_RIGHT)
    assert page.one("#failures").is_displayed()
    page.press(Keys.ARROW_RIGHT)
    assert page.one("#plots").is_displayed()
    page.press("/")
    assert page.one("#pictures").is_displayed()


def test_the_keyboard_keeps_its_place_when_its_card_scrolls_away(page: Browser) -> None:
    page.press("/", Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    page.run("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait("return document.querySelector(\"li[data-index='299']\") !== null")
    assert focused(page) == 1
    assert len(page.keys()) < 150


def test_every_button_and_field_has_a_name(page: Browser) -> None:
    page.click("li[data-index='0'] .card")
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    page.press(Keys.ESCAPE)
    tree += page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    wanted = {"button", "tab", "searchbox", "combobox", "slider", "dialog", "tabpanel", "image"}
    named = [node for node in tree if node.get("role", {}).get("value") in wanted]
    assert {node["role"]["value"] for node in named} >= wanted - {"image"}
    assert all(node["name"]["value"] for node in named)


def test_the_plots_are_drawn(page: Browser) -> None:
    page.click("#tab-plots")
    titles = [each.text for each in page.all(".plot h3")]
    assert titles == ["Throughput over time", "Service times by resolution", "Failures by code"]
    for svg in page.all(".plot svg"):
        assert svg.size["width"] > 300
        assert svg.size["height"] > 100
    assert not page.one("#tools").is_displayed()


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, folder: Path) -> None:
    browser.look(*PHONE)
    browser.open(folder)
    for view in ("pictures", "failures", "plots"):
        browser.click(f"#tab-{view}")
        assert widest(browser) <= PHONE[0]
    browser.click("#tab-pictures")
    browser.click("li[data-index='1'] .card")
    assert widest(browser) <= PHONE[0]
    browser.click("#close")
    assert not browser.run(OPEN)


def test_it_is_dark_where_one_likes_it_dark(browser: Browser, folder: Path) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        browser.look(*DESKTOP, scheme)
        browser.open(folder)
        colours[scheme] = browser.run(
            "const s = getComputedStyle(document.body);"
            "return [s.backgroundColor, s.color].map((c) => Number(c.match(/\\d+/)[0]))"
        )
    (paper, ink), (night, chalk) = colours["light"], colours["dark"]
    assert min(paper, chalk) > 200
    assert max(ink, night) < 60


def test_a_hostile_prompt_stays_text(browser: Browser, tmp_path: Path) -> None:
    lines = [
        with_picture(succeeded(1, HOSTILE, task_id=HOSTILE), tmp_path, dot(1, "")),
        failed(2, HOSTILE, key=HOSTILE),
    ]
    lines[1]["error"] = dict.fromkeys(("type", "code", "message"), HOSTILE)
    lines.append(succeeded(3, state="constructor"))
    write_lines(tmp_path, lines)
    (tmp_path / "run.json").write_text(json.dumps({"input": HOSTILE}))
    faults = [{"field": HOSTILE, "reason": HOSTILE}]
    write_lines(tmp_path, [{"line": 1, "key": HOSTILE, "faults": faults}], "rejected.jsonl")
    write_report(tmp_path)
    browser.open(tmp_path)
    assert browser.text(".chip[data-state=constructor]").split() == ["constructor", "1"]
    browser.click("li[data-index='0'] .card")
    shown = browser.run("return document.querySelector('.full-prompt').textContent")
    assert shown == HOSTILE
    browser.press(Keys.ARROW_RIGHT, Keys.ESCAPE)
    for view in ("failures", "plots"):
        browser.click(f"#tab-{view}")
    assert "hacked" not in browser.driver.title[:6]
    assert not browser.all("img[onerror], img[src=x]")
    assert widest(browser) <= DESKTOP[0]


def test_a_broken_and_a_missing_picture_have_their_place(browser: Browser, tmp_path: Path) -> None:
    lines = [with_picture(succeeded(n), tmp_path, dot(n, "")) for n in (1, 2, 3)]
    (tmp_path / "images" / "1.png").write_bytes(b"no picture")
    (tmp_path / "images" / "2.png").unlink()
    write_lines(tmp_path, lines)
    write_report(tmp_path)
    browser.open(tmp_path)
    cards = [each.text for each in browser.all("#sheet .card")]
    assert "Cannot be read" in cards[0]
    assert "Picture missing" in cards[1]
    browser.click("li[data-index='0'] .card")
    browser.wait("return document.querySelector('#stage').innerText.includes('Cannot be shown')")
    browser.press(Keys.ESCAPE)
    browser.click("#tab-failures")
    assert len(browser.all("#failure-list > li")) == 2


def test_a_long_failure_list_grows(browser: Browser, tmp_path: Path) -> None:
    write_lines(tmp_path, [failed(n, kind=n) for n in range(1_000)])
    write_report(tmp_path)
    browser.open(tmp_path)
    browser.click("#tab-failures")
    first = len(browser.all("#failure-list > li"))
    assert 100 <= first <= 300
    browser.run("scrollTo(0, document.documentElement.scrollHeight)")
    browser.wait(f"return document.querySelectorAll('#failure-list > li').length > {first}")


@pytest.mark.timeout(300)
def test_ten_thousand_pictures_open_in_under_three_seconds(
    browser: Browser, tmp_path: Path
) -> None:
    prompts = [f"a lighthouse on a cliff, view number {n}, late in the day" for n in range(10_000)]
    write_run(tmp_path, prompts, bad={17, 5_000, 5_001, 7_777, 9_999})
    write_report(tmp_path)
    began = monotonic()
    browser.open(tmp_path)
    browser.wait(SHOWN)
    assert monotonic() - began < 3
    # The five bad ones are two keys away, and the last one of ten thousand is one.
    browser.click("#tab-failures")
    assert len(browser.all("#failure-list > li")) == 5
    browser.click("#tab-pictures")
    browser.press("/", Keys.ARROW_DOWN, Keys.END)
    browser.wait(SHOWN)
    assert focused(browser) == 9_999
    assert len(browser.keys()) < 200


def focused(page: Browser) -> int:
    """Which card the keyboard is on."""
    return int(page.run("return document.activeElement.closest('li').dataset.index"))


def in_sight(page: Browser) -> bool:
    """Tell whether the card in use is on the screen, and not below what sticks to its top."""
    inside: bool = page.run("""
        const box = document.activeElement.getBoundingClientRect();
        const covered = document.getElementById("tools").getBoundingClientRect().bottom;
        return box.top >= Math.min(covered, innerHeight) && box.bottom <= innerHeight;
    """)
    return inside


def widest(page: Browser) -> int:
    return int(page.run("return document.documentElement.scrollWidth"))
