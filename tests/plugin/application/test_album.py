"""Its tests, as somebody writes them who has read the how-to. Run by `test_application.py`."""

from pathlib import Path

import pytest

from nanobanana_async import NanoBananaClient
from nanobanana_async.emulator import Stuck
from nanobanana_async.testing import EmulatorThread
from tests.plugin.application.album import fill, main, page


async def test_an_album_is_filled(nanobanana_client: NanoBananaClient, tmp_path: Path) -> None:
    assert await fill(nanobanana_client, tmp_path, ["a fox", "an owl"]) == ["new", "new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png"]


def test_the_program_does_not_buy_a_page_again(
    nanobanana_emulator: EmulatorThread, tmp_path: Path
) -> None:
    assert main(tmp_path, ["a fox", "a forbidden owl"]) == ["new", "TaskFailedError"]
    assert main(tmp_path, ["a fox"]) == ["there"]
    assert nanobanana_emulator.ledger().accepted_by_prompt["a fox"] == 1


@pytest.mark.nanobanana(faults={"submit_lost": 1.0})
async def test_a_lost_answer_is_not_paid_for_twice(
    nanobanana_client: NanoBananaClient, nanobanana_emulator: EmulatorThread, tmp_path: Path
) -> None:
    assert await fill(nanobanana_client, tmp_path, ["a fox"]) == ["SubmitUnknownError"]
    assert nanobanana_emulator.ledger().accepted == 1


@pytest.mark.nanobanana(service=Stuck(1_000))
async def test_a_slow_page_is_noted(
    nanobanana_client: NanoBananaClient, nanobanana_emulator: EmulatorThread, tmp_path: Path
) -> None:
    assert await page(nanobanana_client, "a fox", tmp_path / "fox.png", patience=0.3) == "later"
    noted = (tmp_path / "fox.task").read_text()
    assert [noted] == list(nanobanana_emulator.ledger().task_ids)


@pytest.mark.nanobanana(balance=0.04)
async def test_an_account_that_is_empty_ends_it(
    nanobanana_client: NanoBananaClient, tmp_path: Path
) -> None:
    ends = await fill(nanobanana_client, tmp_path, ["a fox", "an owl", "a cat"])
    assert sorted(ends) == ["InsufficientBalanceError", "InsufficientBalanceError", "new"]
