from collections.abc import Sequence
from math import inf
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from nanobanana_async.emulator import Answer, Episode, Reset
from nanobanana_async.emulator._injector import FaultInjector
from nanobanana_async.emulator._wire import Outcome

from .driver import EXACTLY_10_S, Account, envelope, steady

eighths = st.integers(0, 8 * 100).map(lambda count: count / 8)


def status(outcome: Outcome) -> int | None:
    return outcome.status if isinstance(outcome, Answer) else None


def test_an_episode_lasts_from_its_start_for_its_length() -> None:
    account = Account(episodes=[Episode("submit_502", start=60, length=600)])
    statuses = [status(account.submit(now)) for now in (0, 59.9, 60, 300, 659.9, 660, 1_320)]
    assert statuses == [200, 200, 502, 502, 502, 200, 200]
    assert account.core.ledger(1_320).faults == {"submit_502": 3}


def test_an_episode_can_come_again_and_again() -> None:
    account = Account(episodes=[Episode("balance_reset", 10, 5, every=60)])
    times = (9, 10, 14, 15, 69, 70, 74.9, 75, 610, 615)
    outcomes = [account.balance(now) == Reset() for now in times]
    assert outcomes == [False, True, True, False, False, True, True, False, True, False]


def test_an_episode_can_last_for_ever() -> None:
    account = Account(episodes=[Episode("submit_500", 10, inf)])
    assert [status(account.submit(now)) for now in (0, 10, 1e9)] == [200, 500, 500]


def test_any_means_submits_checks_and_balance_alike() -> None:
    account = Account(episodes=[Episode("any_502_html", 5, 5)], service=EXACTLY_10_S)
    task_id = account.accepted(0)
    outcomes = [account.submit(5), account.check(5, task_id), account.balance(5)]
    assert [status(outcome) for outcome in outcomes] == [502] * 3
    assert status(account.download(5, f"/pictures/{task_id}/1.png")) == 404
    expected = {f"{kind}_502_html": 1 for kind in ("submit", "check", "balance")}
    assert account.core.ledger(5).faults == expected
    account.status(10, task_id)


def test_an_episode_comes_before_the_plain_faults() -> None:
    account = Account(faults={"submit_500": 1.0}, episodes=[Episode("submit_503", 10, 5)])
    assert [status(account.submit(now)) for now in (0, 10, 15)] == [500, 503, 500]


def test_the_first_of_two_episodes_counts() -> None:
    both = [Episode("submit_502", 0, 5), Episode("any_504", 0, 10)]
    account = Account(episodes=both)
    assert [status(account.submit(now)) for now in (0, 5, 10)] == [502, 504, 200]


def test_an_episode_has_its_probability_and_leaves_the_rest_to_the_others() -> None:
    account = Account(
        faults={"submit_500": 0.2}, episodes=[Episode("submit_503", 0, 10, probability=0.3)]
    )
    for _ in range(5_000):
        account.submit(0)
    faults = account.core.ledger(0).faults
    assert faults["submit_503"] == pytest.approx(1_500, rel=0.1)
    assert faults["submit_500"] == pytest.approx(1_000, rel=0.1)


def test_an_episode_of_429_is_refused_as_a_fault() -> None:
    account = Account(episodes=[Episode("any_429", 0, 10)])
    envelope(account.submit(0), 429)
    assert account.core.ledger(0).refused == {"rate": 0, "concurrency": 0, "fault": 1}


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"fault": "submit_lots"}, "no fault 'submit_lots'.*Near it: .*submit_lost"),
        ({"fault": "any_50"}, "no fault 'any_50'.*Near it: .*any_50"),
        ({"fault": "any_no_result"}, "no fault 'any_no_result'.*Near it: .*check_no_result"),
        ({"fault": "any_forgotten"}, "no fault 'any_forgotten'"),
        ({"start": -1.0}, "start"),
        ({"start": float("nan")}, "start"),
        ({"length": 0.0}, "length"),
        ({"probability": 1.1}, "probability"),
        ({"probability": -0.1}, "probability"),
        ({"every": 0.0}, "every"),
        ({"every": 9.0}, r"every \(9 s\) must be at least length \(10 s\)"),
    ],
    ids=str,
)
def test_an_episode_that_cannot_be_is_one_clear_error(wrong: dict[str, Any], what: str) -> None:
    right: dict[str, Any] = {"fault": "any_502", "start": 1.0, "length": 10.0}
    with pytest.raises(ValueError, match=what):
        Episode(**right | wrong)


@steady
@given(eighths, st.integers(1, 80), st.integers(0, 80), st.booleans(), eighths)
def test_it_lasts_when_some_repeat_of_it_does(
    start: float, length: int, pause: int, repeats: bool, now: float
) -> None:
    every = float(length + pause) if repeats else None
    starts = [start + count * every for count in range(102)] if every else [start]
    expected = any(begin <= now < begin + length for begin in starts)
    assert Episode("any_502", start, length, every=every).active(now) == expected


class Counted(Random):
    """Counts what is drawn from it."""

    draws = 0

    def random(self) -> float:
        self.draws += 1
        return super().random()


@pytest.mark.parametrize(
    ("episodes", "draws"),
    [([], 2), ([Episode("any_502", 5, 5), Episode("submit_500", 5, 5)], 4)],
    ids=["plain", "with episodes"],
)
def test_a_request_takes_one_random_number_inside_an_episode_and_outside(
    episodes: Sequence[Episode], draws: int
) -> None:
    rng = Counted(1)
    injector = FaultInjector({"submit_502": 0.1, "submit_504": 0.1}, episodes, rng)
    for now in (0.0, 6.0):
        injector.draw("submit", now)
        injector.draw("check", now)
    assert rng.draws == draws
