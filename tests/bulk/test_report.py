import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from nanobanana_async.bulk.report import write_report
from tests.bulk.report_folder import dot, failed, succeeded, with_picture, write_lines, write_run
from tests.bulk.report_page import Page

HOSTILE = (
    "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> \"'&amp;{{script}}"
    "\u2028\u2029\0\ud800 ネコ"
)


def test_without_results_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no results\.jsonl in .*: no bulk run"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_last_line_of_a_key_counts_in_the_order_of_the_rows(tmp_path: Path) -> None:
    write_lines(tmp_path, [failed(2), succeeded(10), succeeded(1), succeeded(2, "again")])
    page = Page(tmp_path)
    assert [row["row"] for row in page.rows] == [1, 2, 10]
    assert page.rows[1]["prompt"] == "again"
    assert page.about["states"] == {"succeeded": 3}


def test_a_torn_last_line_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    write_lines(tmp_path, [succeeded(1), succeeded(2)])
    file = tmp_path / "results.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + whole[: len(whole) // 3])
    assert [row["row"] for row in Page(tmp_path).rows] == [1, 2]
    assert Page(tmp_path).about["damaged"] == 0


@pytest.mark.parametrize("line", ["{", "[]", "7", '{"row": 3}', "[" * 50_000, '{"key": "\x00'])
def test_a_damaged_line_is_counted_and_costs_no_other(tmp_path: Path, line: str) -> None:
    write_lines(tmp_path, [succeeded(1)])
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write(line + "\n")
    write_lines(tmp_path, [succeeded(2)])
    page = Page(tmp_path)
    assert [row["row"] for row in page.rows] == [1, 2]
    assert page.about["damaged"] == 1


@pytest.mark.parametrize("value", [None, True, "x", "", -1, float("nan"), float("inf"), [1], {}])
def test_a_field_of_another_type_never_ends_the_report(tmp_path: Path, value: object) -> None:
    fields = [*succeeded(1), "request", "pictures"]
    lines = [succeeded(number) | {name: value} for number, name in enumerate(fields)]
    inside = {"error": dict.fromkeys(("type", "message", "code"), value)}
    pictures = {"pictures": [value, dict.fromkeys(("file", "sha256", "bytes", "width"), value)]}
    write_lines(tmp_path, [*lines, succeeded(50) | inside, succeeded(51) | pictures])
    (tmp_path / "run.json").write_text(json.dumps({"rows": value, "requests_per_minute": value}))
    write_lines(tmp_path, [{"line": value, "faults": [value, {"field": value}]}], "rejected.jsonl")
    page = Page(tmp_path)
    assert len(page.rows) >= len(fields)
    assert "NaN" not in page.texts["data-rows"]


def test_whatever_a_user_wrote_stays_text(tmp_path: Path) -> None:
    write_lines(tmp_path, [succeeded(1)])
    (tmp_path / "run.json").write_text("{}")
    plain = Page(tmp_path)
    request = {"prompt": HOSTILE, "resolution": HOSTILE, HOSTILE: HOSTILE}
    line = failed(1, request=request, task_id=HOSTILE, key=HOSTILE)
    line["error"] = {"type": HOSTILE, "code": HOSTILE, "message": HOSTILE}
    (tmp_path / "results.jsonl").write_text(json.dumps([line])[1:-1] + "\n")
    (tmp_path / "run.json").write_text(json.dumps({"input": HOSTILE}))
    (tmp_path / "rejected.jsonl").write_text(json.dumps({"key": HOSTILE}) + "\n")
    page = Page(tmp_path)
    drawn = {"figure", "figcaption", "h3", "svg", "rect", "line", "text"}
    for tag in {*page.tags, *plain.tags} - drawn - {"p"}:
        assert page.tags[tag] == plain.tags[tag], tag
    (row,) = page.rows
    assert row["prompt"] == row["task"] == row["key"] == row["reason"] == HOSTILE
    assert page.about["input"] == HOSTILE
    for name in ("data-rows", "data-about", "data-rejected"):
        # Not one: browsers know more ways to end a script than Python's parser does.
        assert not {"<", ">", "&"} & set(page.texts[name])
        assert page.texts[name].isascii()


def test_the_page_allows_its_own_script_and_style_alone(tmp_path: Path) -> None:
    write_lines(tmp_path, [succeeded(1)])
    page = Page(tmp_path)
    rules = dict(rule.split(" ", 1) for rule in page.meta["Content-Security-Policy"].split("; "))
    for name in ("script", "style"):
        digest = b64encode(sha256(page.texts[name].encode()).digest()).decode()
        assert rules[f"{name}-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"
    assert not re.search(r"https?:|//[a-z]+\.", rules["img-src"])
    assert not re.search(r"\sstyle=|\son[a-z]+=|{{", page.source)


def test_what_was_asked_and_what_became_of_it(tmp_path: Path) -> None:
    write_run(tmp_path, ["a"] * 8, bad={2, 5})
    settings = {"input": "/home/me/prompts.csv", "rows": 20}
    (tmp_path / "run.json").write_text(json.dumps(settings))
    faults = [{"field": "prompt", "reason": "is empty"}]
    write_lines(tmp_path, [{"line": 7, "key": None, "faults": faults}], "rejected.jsonl")
    page = Page(tmp_path)
    about = page.about
    assert (about["asked"], about["done"], about["waiting"]) == (20, 8, 12)
    assert about["states"]["succeeded"] == 6
    assert sum(about["reasons"].values()) == 2
    assert page.texts["title"] == "prompts.csv · bulk run"
    assert page.rejected == [{"line": "7", "key": None, "faults": faults}]


def test_without_run_json_only_what_is_known_is_said(tmp_path: Path) -> None:
    write_lines(tmp_path, [succeeded(1)])
    about = Page(tmp_path).about
    assert (about["asked"], about["waiting"], about["input"]) == (None, None, None)


def test_a_callback_may_hold_a_secret_and_is_left_out(tmp_path: Path) -> None:
    request = {
        "prompt": "x",
        "callback_url": "https://me.example/?token=s3cret",
        "provider": "auto",
    }
    write_lines(tmp_path, [succeeded(1, request=request)])
    page = Page(tmp_path)
    assert page.rows[0]["parameters"] == {"provider": "auto"}
    assert "s3cret" not in page.source


def test_an_error_leaves_the_earlier_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lines(tmp_path, [succeeded(1)])
    before = write_report(tmp_path).read_bytes()
    assert not list(tmp_path.glob("*.part"))

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nanobanana_async.bulk.report._write.throughput", full)
    write_lines(tmp_path, [succeeded(2)])
    with pytest.raises(OSError, match="No space"):
        write_report(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


def test_a_report_of_other_rows_takes_its_place(tmp_path: Path) -> None:
    write_lines(tmp_path, [with_picture(succeeded(1), tmp_path, dot(1, ""))])
    assert len(Page(tmp_path).rows) == 1
    write_lines(tmp_path, [succeeded(2)])
    assert len(Page(tmp_path).rows) == 2
