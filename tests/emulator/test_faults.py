import pytest

from nanobanana_async.emulator import Answer, Reset, Settings
from nanobanana_async.emulator._faults import FAULTS
from nanobanana_async.emulator._wire import Outcome

from .driver import EXACTLY_10_S, Account, body, envelope, result_urls

ACTS = ["reset", "lost", "500", "503", "503_bare", "429"]


def test_the_names_are_kind_and_act() -> None:
    kinds = ["submit", "check", "download"]
    assert list(FAULTS) == [f"{kind}_{act}" for kind in kinds for act in ACTS]


@pytest.mark.parametrize("faults", [{"submit_lots": 0.1}, {"check_500": 1.5}, {"check_500": -0.1}])
def test_a_wrong_fault_is_one_clear_error(faults: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"(submit_lots|check_500)=.*submit_reset, submit_lost"):
        Settings(faults=faults)


def test_faults_of_a_kind_share_one_whole() -> None:
    Settings(faults={"submit_500": 0.7, "submit_503": 0.2, "submit_429": 0.1, "check_500": 1.0})
    with pytest.raises(ValueError, match="submit faults add up to more than 1"):
        Settings(faults={"submit_500": 0.7, "submit_503": 0.7})


def looks_like(act: str, outcome: Outcome) -> None:
    if act in {"reset", "lost"}:
        assert outcome == Reset()
    elif act == "503_bare":
        assert isinstance(outcome, Answer)
        assert (outcome.status, outcome.headers["content-type"]) == (503, "text/html")
        assert outcome.body.startswith(b"<html>")
    else:
        envelope(outcome, int(act))


@pytest.mark.parametrize("act", ACTS)
def test_a_submit_with_a_fault_is_accepted_only_where_its_answer_is_lost(act: str) -> None:
    account = Account(faults={f"submit_{act}": 1.0}, balance=1.0)
    looks_like(act, account.submit(0))
    ledger = account.core.ledger(0)
    accepted = int(act == "lost")
    assert (ledger.accepted, ledger.running) == (accepted, accepted)
    assert ledger.accepted_by_prompt == ({"a cat": 1} if accepted else {})
    assert envelope(account.balance(0), 200)["data"] == {"balance": 1.0 - 0.04 * accepted}
    assert ledger.faults == {f"submit_{act}": 1}
    assert ledger.refused["fault"] == int(act == "429")


@pytest.mark.parametrize("act", ACTS)
def test_a_check_with_a_fault_shows_nothing(act: str) -> None:
    account = Account(faults={f"check_{act}": 1.0}, service=EXACTLY_10_S)
    task_id = account.accepted(0)
    looks_like(act, account.check(20, task_id))
    ledger = account.core.ledger(20)
    assert (ledger.finished_seen, ledger.faults) == (0, {f"check_{act}": 1})


@pytest.mark.parametrize("act", ACTS)
def test_a_download_with_a_fault_hands_out_nothing(act: str) -> None:
    account = Account(faults={f"download_{act}": 1.0}, service=EXACTLY_10_S)
    (url,) = result_urls(account.status(20, account.accepted(0)))
    looks_like(act, account.download(20, url))
    ledger = account.core.ledger(20)
    assert (ledger.downloads, ledger.faults) == (0, {f"download_{act}": 1})


def test_a_request_with_a_fault_counts_for_the_rate() -> None:
    account = Account(faults={"submit_reset": 1.0}, requests_per_minute=2)
    assert account.submit(0) == account.submit(0) == Reset()
    envelope(account.submit(0), 429)


def test_faults_come_as_often_as_they_are_asked_for() -> None:
    account = Account(faults={"check_500": 0.2, "check_429": 0.1})
    for _ in range(5_000):
        account.check(0, "task_1")
    faults = account.core.ledger(0).faults
    assert faults["check_500"] == pytest.approx(1_000, rel=0.1)
    assert faults["check_429"] == pytest.approx(500, rel=0.15)


def test_faults_do_not_shift_service_times() -> None:
    calm, rough = Account(seed=3), Account(seed=3, faults={"submit_500": 0.3, "check_lost": 0.5})
    for number in range(200):
        calm.accepted(0, body(f"{number}"))
    while rough.core.ledger(0).accepted < 200:
        rough.submit(0, body("again and again"))
    assert times(calm) == times(rough)


def times(account: Account) -> list[float]:
    return [task.life.end for task in account.core._tasks.values()]
