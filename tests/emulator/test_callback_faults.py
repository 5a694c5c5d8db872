"""What goes wrong with callbacks, without a loop: a receiver here is a line of the test."""

import json
from typing import Any

import pytest

from nanobanana_async.emulator import Answer, Episode, Reset, Settings

from .driver import EXACTLY_10_S, Account, body, callback_body, life_of


def account(speed: float = 1.0, **faults: float) -> Account:
    faults = {f"callback_{name}": probability for name, probability in faults.items()}
    return Account(service=EXACTLY_10_S, faults=faults, speed=speed)


def deliveries(of: Account, *, ok: bool = True) -> list[tuple[float, str, int]]:
    """Answer every delivery at once, to the last; return when each came, its state and attempt."""
    came: list[tuple[float, str, int]] = []
    while (due := of.core.next_delivery_at()) is not None:
        for delivery in of.core.take_deliveries(due):
            state = json.loads(delivery.body)["data"]["state"]
            came.append((due, state, delivery.attempt))
            of.core.delivered(due, delivery, ok=ok)
    return came


def faults(of: Account) -> Any:
    return of.core.ledger(1_000).faults


@pytest.mark.parametrize(
    "probabilities",
    [
        {"callback_lost": 0.6, "callback_early": 0.6},
        {"callback_drop": 1.1},
        {"callback_reordered": 0.1},
    ],
)
def test_what_cannot_be_is_refused(probabilities: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"callback_lost|callback_drop"):
        Settings(faults=probabilities)


def test_an_episode_has_none() -> None:
    with pytest.raises(ValueError, match="callback_drop goes into faults"):
        Episode("callback_drop", 0.0, 1.0)


def test_nothing_of_a_lost_callback_ever_comes() -> None:
    lost = account(lost=1.0, drop=1.0)
    task_id = lost.accepted(0, callback_body())
    assert lost.core.ledger(0).callbacks_lost == (0,)
    assert deliveries(lost) == []
    ledger = lost.core.ledger(1_000)
    assert (ledger.task_ids, ledger.callbacks_lost, ledger.told_at) == ((task_id,), (0,), (None,))
    assert (ledger.callbacks_failed, ledger.faults) == (4, {"callback_lost": 1})


def test_a_dropped_try_is_repeated_like_any_that_failed() -> None:
    dropped = account(drop=0.5)
    for _ in range(200):
        dropped.accepted(0, callback_body())
    came = deliveries(dropped)
    # What was lost is noticed at once here; so repeats come 30 s later, and so on.
    times = [due for due, _, _ in came]
    assert [times.count(due) for due in (10, 40, 100, 220)] == pytest.approx(
        [100, 50, 25, 12], rel=0.4
    )
    ledger = dropped.core.ledger(1_000)
    assert len(ledger.callbacks_lost) == 200 - len(came) == ledger.told_at.count(None) > 0
    assert ledger.faults == {"callback_drop": ledger.callbacks_failed}


def test_what_was_taken_comes_once_more() -> None:
    twice = account(twice=1.0)
    twice.accepted(0, callback_body())
    assert deliveries(twice) == [(10, "success", 0), (15, "success", 0)]
    ledger = twice.core.ledger(1_000)
    assert (ledger.callbacks_delivered, ledger.told_at) == (2, (0.0,))
    assert ledger.faults == {"callback_twice": 1}


def test_what_was_refused_does_not_come_twice_and_a_repeat_is_not_repeated() -> None:
    twice = account(twice=1.0)
    twice.accepted(0, callback_body())
    assert len(deliveries(twice, ok=False)) == 4
    assert faults(twice) == {}
    twice.accepted(500, callback_body())
    (first,) = twice.core.take_deliveries(510)
    twice.core.delivered(510, first, ok=True)
    (again,) = twice.core.take_deliveries(515)
    twice.core.delivered(515, again, ok=False)
    assert twice.core.next_delivery_at() is None
    assert twice.core.ledger(515).callbacks_lost == (0,)


def test_an_early_callback_overtakes_the_submits_own_answer() -> None:
    early = account(early=1.0, drop=1.0)
    early.accepted(3, callback_body())
    # Accepted at once, told at 13, answered at 13.5; nor does the first try get lost.
    assert early.core.ledger(3).accepted_at == (3,)
    assert early.delay == 10.5
    assert deliveries(early) == [(13, "success", 0)]
    assert faults(early) == {"callback_early": 1}


def test_an_answer_that_gets_lost_is_held_back_as_well() -> None:
    early = Account(
        service=EXACTLY_10_S, faults={"submit_lost": 1.0, "callback_early": 1.0}, latency=1.0
    )
    assert early.submit(0, callback_body()) == Reset()
    assert early.delay == 11.5


def test_a_polled_or_refused_submit_is_not_held_back() -> None:
    early = Account(faults={"callback_early": 1.0}, concurrent_tasks=1)
    early.accepted(0, body())
    assert early.delay == 0
    refused = early.submit(0, callback_body())
    assert isinstance(refused, Answer)
    assert (refused.status, early.delay, faults(early)) == (429, 0, {})


def test_a_late_callback_comes_a_minute_late_and_a_sped_up_one_less() -> None:
    for speed, due in [(1.0, 70), (10.0, 7)]:
        late = account(speed, late=1.0)
        late.accepted(0, callback_body())
        assert deliveries(late) == [(due, "success", 0)]
        assert late.core.ledger(100).told_at == (60 / speed,)


def test_progress_is_told_half_way_and_never_repeated() -> None:
    progress = account(progress=1.0)
    progress.accepted(0, callback_body())
    came = [(due, state) for due, state, _ in deliveries(progress, ok=False)]
    assert came[:2] == [(5, "processing"), (10, "success")]
    assert len(came) == 5
    progress.accepted(500, callback_body())
    # However late the front asks for it, it tells what was true when it was due.
    assert [
        json.loads(delivery.body)["data"]["state"]
        for delivery in progress.core.take_deliveries(600)
    ] == ["processing", "success"]


def test_progress_alone_tells_no_end() -> None:
    progress = account(progress=1.0)
    progress.accepted(0, callback_body())
    (delivery,) = progress.core.take_deliveries(5)
    progress.core.delivered(5, delivery, ok=True)
    assert progress.core.ledger(5).told_at == (None,)
    assert progress.core.next_delivery_at() == 10


def test_they_shift_nothing_else_and_not_one_another() -> None:
    rough = {"submit_lost": 0.2, "callback_lost": 0.1}
    more = {"callback_early": 0.2, "callback_drop": 0.5, "callback_twice": 0.5}
    few, many = (Account(seed=3, faults=rough | extra) for extra in ({}, more))
    for either in (few, many):
        for _ in range(300):
            either.submit(0, callback_body())
        deliveries(either)
    one, other = few.core.ledger(1_000), many.core.ledger(1_000)
    assert (one.task_ids, one.service_times) == (other.task_ids, other.service_times)
    assert one.faults.items() < other.faults.items()
    assert set(one.callbacks_lost) < set(other.callbacks_lost)
    assert set(other.faults) == rough.keys() | more.keys()


def test_the_ledger_keeps_ids_and_answers_in_the_order_of_acceptance() -> None:
    plain = Account(seed=5)
    ids = [plain.accepted(0, callback_body() if n % 2 else body()) for n in range(6)]
    for delivery in plain.core.take_deliveries(100):
        plain.core.delivered(100, delivery, ok=True)
    ledger = plain.core.ledger(100)
    assert ledger.task_ids == tuple(ids)
    assert ledger.told_at == tuple(
        100 - life_of(plain, task_id).end if n % 2 else None for n, task_id in enumerate(ids)
    )
