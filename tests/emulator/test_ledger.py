import json

import attrs
import pytest

from nanobanana_async.emulator import Ledger

from .driver import EXACTLY_10_S, Account, body, callback_body


def test_lag_and_checks_are_those_of_tasks_seen_finished() -> None:
    account = Account(service=EXACTLY_10_S)
    quick, slow, unseen = (account.accepted(0, body(p)) for p in ("quick", "slow", "unseen"))
    for now, task_id in [(5, quick), (9, slow), (9, unseen), (11, quick), (13, slow)]:
        account.status(now, task_id)
    ledger = account.core.ledger(13)
    assert (ledger.finished_seen, ledger.running) == (2, 0)
    assert ledger.mean_lag == pytest.approx((1 + 3) / 2)
    assert ledger.longest_lag == pytest.approx(3)
    assert ledger.checks_per_task == 2
    assert ledger.lags == (pytest.approx(1), pytest.approx(3), None)
    assert ledger.service_times == (10, 10, 10)


def test_a_look_at_what_was_seen_already_adds_a_check_and_no_lag() -> None:
    account = Account(service=EXACTLY_10_S)
    task_id = account.accepted(0)
    for now in (10, 20, 30):
        account.status(now, task_id)
    ledger = account.core.ledger(30)
    assert (ledger.finished_seen, ledger.checks_per_task, ledger.longest_lag) == (1, 3, 0)


def test_prompts_accepted_twice_are_named() -> None:
    account = Account()
    for now, prompt in enumerate(["a", "b", "a", "c", "a"]):
        account.accepted(now, body(prompt))
    ledger = account.core.ledger(5)
    assert ledger.accepted_by_prompt == {"a": 3, "b": 1, "c": 1}
    assert ledger.accepted_twice == {"a": 3}
    assert ledger.accepted_at == (0, 1, 2, 3, 4)
    assert ledger.accepted == 5


def test_a_ledger_that_keeps_nothing_still_counts() -> None:
    kept, bare = (
        Account(
            service=EXACTLY_10_S,
            faults={"submit_lost": 0.5, "callback_lost": 0.5},
            keep_ledger=keep,
        )
        for keep in (True, False)
    )
    for account in (kept, bare):
        for now in range(20):
            account.submit(now, callback_body("again"))
        account.check(40, "task_1")
        for delivery in account.core.take_deliveries(40):
            account.core.delivered(40, delivery, ok=True)
    full, rest = (attrs.asdict(account.core.ledger(40)) for account in (kept, bare))
    grows = {"accepted_at", "service_times", "lags", "task_ids", "told_at", "callbacks_lost"}
    grows |= {"accepted_by_prompt", "accepted_twice", "unheard_prompts"}
    assert all(full.pop(name) for name in grows)
    assert not any(rest.pop(name) for name in grows)
    assert rest == full
    assert full["accepted"] == 20
    assert full["accepted_unheard"] > 0


def test_requests_are_counted_by_kind() -> None:
    account = Account()
    task_id = account.accepted(0)
    account.check(0, task_id)
    account.check(0, "task_1")
    account.balance(0)
    account.download(0, f"/pictures/{task_id}/1.png")
    expected = {"submit": 1, "check": 2, "balance": 1, "download": 1}
    ledger = account.core.ledger(0)
    assert ledger.requests == expected
    assert ledger.fullest_window == ledger.fullest_fixed_window == 4


def test_the_fixed_window_of_the_ledger_has_the_settings_offset() -> None:
    account = Account(window_offset=20)
    for now in (19, 19, 20, 79, 80):
        account.balance(now)
    ledger = account.core.ledger(80)
    assert (ledger.fullest_fixed_window, ledger.fullest_window) == (2, 3)


def test_a_snapshot_is_fit_for_json_and_stays_as_it_is() -> None:
    account = Account()
    account.accepted(0)
    before = account.core.ledger(0)
    text = json.dumps(attrs.asdict(before))
    account.accepted(1)
    assert json.dumps(attrs.asdict(before)) == text
    assert set(json.loads(text)) == {field.name for field in attrs.fields(Ledger)}


def test_an_unused_account_has_figures_too() -> None:
    ledger = Account().core.ledger(0)
    assert (ledger.checks_per_task, ledger.mean_lag, ledger.accepted_at) == (0, 0, ())
