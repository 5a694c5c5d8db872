"""Which rows are handed to the client, and what they cost: a run that has not begun."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nanobanana_async import ImageRequest, Limits, NanoBananaError, NotSubmittedError, Outcome
from nanobanana_async.bulk import BulkSettings, Prices, Progress, _run
from nanobanana_async.bulk._folder import Folder
from nanobanana_async.bulk._opening import open_job
from nanobanana_async.bulk._saving import Saver
from nanobanana_async.emulator import Stuck
from tests.bulk.command import write_prompts

ROWS = 20


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """A run that has not begun."""
    monkeypatch.setattr(_run, "_BLOCK", 5)
    source = tmp_path / "prompts.txt"
    write_prompts(source, ROWS)
    (tmp_path / "run").mkdir()

    manifests = []

    def opened(chosen: BulkSettings) -> Any:
        job = open_job(source, Folder(tmp_path / "run"), chosen, Limits())
        manifests.append(job.manifest)
        return job

    def make(*lines: dict[str, Any], **settings: Any) -> Any:
        if lines:
            text = "".join(json.dumps({"request": {"prompt": "x"}} | line) + "\n" for line in lines)
            opened(BulkSettings())
            (tmp_path / "run" / "results.jsonl").write_text(text)
        chosen = BulkSettings(**{"prices": Prices.parse("1")} | settings)
        return _run._Work(opened(chosen), Progress(), asyncio.Event(), {})

    yield make
    for manifest in manifests:
        if manifest._file is not None:
            manifest._file.close()


def begun(coroutines: Any) -> int:
    """How many there are; none is run."""
    count = 0
    for coroutine in coroutines:
        coroutine.close()
        count += 1
    return count


async def test_how_far_it_has_read_is_on_record_before_a_row_is_handed_out(work: Any) -> None:
    one = work()
    path = one.job.folder.run_file
    async for request in one._wanted(lambda *_: True):
        assert json.loads(path.read_text())["reached"] >= int(request.key)
    assert json.loads(path.read_text())["reached"] <= ROWS + 5


async def test_without_a_journal_all_rows_up_to_there_are_unknown_and_paid(work: Any) -> None:
    one = work()
    one._told, one.job.run_file.unprovable = {"3": "task 3"}, 6
    assert begun(one._finds(None)) == 6
    assert one._busy == {"1", "2", "3", "4", "5", "6"}
    assert one.job.budget.spent == 6


async def test_a_sound_journal_proves_the_others_unsent(work: Any) -> None:
    one = work()
    one.job.run_file.reached = 6
    one._sent = {"2": None}
    assert begun(one._finds(None)) == 1
    assert not one._first_time(2, "2")
    assert one._first_time(3, "3")


async def test_of_a_changed_input_no_row_is_proved_unsent_by_its_place(
    work: Any, tmp_path: Path
) -> None:
    assert work().job.run_file.reached == 0
    write_prompts(tmp_path / "prompts.txt", ROWS + 1)
    assert work(accept_changed=True).job.run_file.reached > ROWS + 1


async def test_what_was_left_is_paid_once_and_not_sent_meanwhile(work: Any) -> None:
    line = {"key": "1", "state": "failed", "attempt": 4, "attempts": 2}
    one = work(line, retry_failed=True)
    assert one.job.budget.spent == 2
    one._again = {"1"}
    one._note_left({4: ImageRequest("x", key="1")})
    assert one.job.budget.spent == 2  # its line is there, and counted
    one._note_left({5: ImageRequest("x", key="1"), 6: ImageRequest("x", key="2")})
    assert one.job.budget.spent == 4
    assert not one._first_time(1, "1")


async def test_several_lines_of_a_row_are_paid_as_often_as_the_last_says(work: Any) -> None:
    one = work(
        {"key": "1", "state": "failed", "attempt": 1, "attempts": 1},
        {"key": "1", "state": "failed", "attempt": 2, "attempts": 2},
        {"key": "2", "state": "refused", "attempt": None, "attempts": 0},
    )
    assert one.job.budget.spent == 2


async def test_what_was_not_sent_gives_its_money_back(work: Any) -> None:
    one = work(budget=Decimal(3))
    saver = Saver(one.job, None, None, one.progress)  # type: ignore[arg-type]
    request = ImageRequest("x", key="1")
    assert [one.job.budget.charge(request) for _ in range(4)] == [True, True, True, False]
    error: NanoBananaError = NotSubmittedError("stopped")
    await saver.save(Outcome(index=0, key="1", request=request, error=error))
    assert one.job.budget.charge(request)
    assert one.job.manifest.entries == {}


async def test_stopped_it_hands_out_no_further_row(work: Any) -> None:
    one = work()
    seen = []
    async for request in one._wanted(lambda *_: True):
        seen.append(request.key)
        one.stop.set()
    assert seen == ["1"]
    one.job.manifest.entries.clear()
    assert await one._pass(None, lambda *_: True) is False


async def test_tasks_that_a_damaged_journal_names_are_looked_at(bench: Any) -> None:
    async with bench(6, service=Stuck(1.5)) as here:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.run(), 0.7)
        with sqlite3.connect(here.folder / "journal.db") as connection:
            connection.execute("UPDATE records SET data = '{}' WHERE number = 12")
        connection.close()
        summary = await here.run()
        assert summary.states == {"succeeded": 5, "unknown": 1}
        assert here.emulator.ledger().accepted == 6


async def test_without_journal_and_mark_nothing_is_sent_that_may_have_been(bench: Any) -> None:
    async with bench(6, service=Stuck(1.5)) as here:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.run(), 0.7)
        for name in ("journal.db", "journal.db-mark"):
            (here.folder / name).unlink()
        assert (await here.run()).states == {"unknown": 6}
        assert here.emulator.ledger().accepted == 6
