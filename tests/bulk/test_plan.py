"""A dry run: what a run would take, seen without sending or writing anything."""

import json
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from nanobanana_async import Limits
from nanobanana_async.bulk import (
    BulkSettings,
    FolderError,
    InputChangedError,
    InputError,
    InvalidRowsError,
    Plan,
    Prices,
    plan,
)
from nanobanana_async.bulk._folder import Folder
from nanobanana_async.bulk._opening import open_job

LIMITS = Limits()
Planner = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path) -> Planner:
    def make(text: str, *, limits: Limits = LIMITS, **settings: Any) -> Plan:
        (tmp_path / "rows.csv").write_text(text)
        return plan(
            tmp_path / "rows.csv",
            tmp_path / "run",
            settings=BulkSettings(**settings),
            limits=limits,
        )

    return make


def begin(folder: Path, source: Path, lines: list[dict[str, Any]]) -> None:
    """Leave what a run leaves."""
    place = Folder(folder)
    with place.owned():
        job = open_job(source, place, BulkSettings(skip_invalid=True), Limits())
        job.manifest._file.close()  # type: ignore[union-attr]
    text = "".join(json.dumps({"error": None, "attempts": 1} | line) + "\n" for line in lines)
    place.results.write_text(text)


ROWS = "prompt,resolution\na,\nb,2k\nc,4K\n"


def test_rows_money_and_nothing_written(planned: Planner, tmp_path: Path) -> None:
    found = planned(ROWS, prices=Prices.parse("1K=0.04,2K=0.06,4K=0.1"))
    assert (found.rows, found.invalid, found.done, found.to_submit) == (3, 0, 0, 3)
    assert (found.money, found.spent, found.over_budget) == (Decimal("0.20"), Decimal(0), False)
    assert [one.name for one in tmp_path.iterdir()] == ["rows.csv"]


def test_without_prices_there_is_no_money(planned: Planner) -> None:
    found = planned(ROWS)
    assert (found.money, found.spent, found.over_budget) == (None, None, False)


def test_time_is_what_the_tighter_limit_takes(planned: Planner) -> None:
    text = "prompt\n" + "a\n" * 600
    by_tasks = planned(text, limits=Limits(10_000, 10), defaults={"resolution": "4K"}).seconds
    assert by_tasks == pytest.approx(600 * 45 / 10 + 45)
    by_requests = planned(text, limits=Limits(60, 1_000)).seconds
    assert by_requests == pytest.approx(600 * 2 + 17)
    nano = planned("prompt\na\n", model="nano-banana").seconds
    assert nano == pytest.approx(17, abs=0.1)


def test_rows_at_fault(planned: Planner) -> None:
    text = "prompt,resolution\na,8K\nb,\n"
    with pytest.raises(InvalidRowsError, match="1 of 2 rows"):
        planned(text)
    found = planned(text, skip_invalid=True)
    assert (found.rows, found.invalid) == (1, 1)


def test_prices_and_defaults_are_checked(planned: Planner) -> None:
    with pytest.raises(InputError, match="No price is given for 4K"):
        planned(ROWS, prices=Prices.parse("1K=1,2K=1"))
    with pytest.raises(InputError, match="aspect_ratio='7:5'"):
        planned(ROWS, defaults={"aspect_ratio": "7:5"})


STATES: dict[str, dict[str, Any]] = {
    "1": {"state": "succeeded"},
    "2": {"state": "failed", "error": {"retryable": True}},
    "3": {"state": "failed", "error": {"retryable": False}, "attempts": 2},
    "4": {"state": "unknown"},
    "5": {"state": "stuck", "task_id": "t"},
    "6": {"state": "refused", "attempts": 0},
    "7": {"state": "download_failed", "task_id": "t", "urls": ["u"]},
}


@pytest.mark.parametrize(
    ("settings", "again"),
    [
        ({}, "6"),
        ({"retry_failed": True}, "236"),
        ({"retry_unknown": True}, "456"),
        ({"attempts": 2}, "26"),
        ({"attempts": 2, "retry_failed": True, "retry_unknown": True}, "23456"),
    ],
    ids=str,
)
def test_what_an_earlier_run_has_left(
    planned: Planner, tmp_path: Path, settings: dict[str, Any], again: str
) -> None:
    text = "prompt\n" + "a\n" * 9
    planned(text)
    lines = [{"key": key, "request": {"prompt": "a"}} | line for key, line in STATES.items()]
    earlier = {**lines[0], "state": "failed", "attempts": 1}
    begin(tmp_path / "run", tmp_path / "rows.csv", [earlier, *lines])
    before = {path: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}
    found = planned(text, prices=Prices.parse("1"), budget=Decimal(10), **settings)
    assert (found.rows, found.again, found.done) == (9, len(again), 7 - len(again))
    assert (found.to_submit, found.money) == (2 + len(again), Decimal(2 + len(again)))
    # What was paid for counts, too: one each, but for the two of row 3 and the none of row 6.
    assert found.spent == 7
    assert found.over_budget == (7 + 2 + len(again) > 10)
    assert before == {path: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}


def test_a_folder_of_another_run(planned: Planner, tmp_path: Path) -> None:
    planned(ROWS)
    begin(tmp_path / "run", tmp_path / "rows.csv", [])
    with pytest.raises(InputChangedError):
        planned(ROWS + "d,\n")
    assert planned(ROWS + "d,\n", accept_changed=True).rows == 4
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(FolderError):
        planned(ROWS)


def test_rows_that_were_left_out_are_not_asked_about_again(
    planned: Planner, tmp_path: Path
) -> None:
    text = "prompt,resolution\na,8K\nb,\n"
    planned(text, skip_invalid=True)
    begin(tmp_path / "run", tmp_path / "rows.csv", [])
    assert planned(text).invalid == 1


def test_standard_input_is_read_and_not_kept(tmp_path: Path) -> None:
    assert plan("-", tmp_path / "run", stdin=BytesIO(b"a\nb\n")).rows == 2
    assert not list(tmp_path.iterdir())
