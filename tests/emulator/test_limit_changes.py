"""Limits that change without a word, and places that are freed late."""

from itertools import accumulate
from math import inf
from typing import Any

import pytest
from hypothesis import given, strategies as st

from nanobanana_async.emulator import LimitChange, Settings
from nanobanana_async.emulator._rate import RateLimit, rate_limit

from .driver import EXACTLY_10_S, Account, envelope, steady
from .test_rate import WINDOWS, Window


def changed(window: Window, *changes: LimitChange, count_refused: bool = False) -> RateLimit:
    return rate_limit(
        Settings(
            window=window,
            requests_per_minute=6,
            count_refused=count_refused,
            limit_changes=changes,
        )
    )


def passed(limit: RateLimit, now: float, attempts: int = 20) -> int:
    return sum(limit.admit(now) for _ in range(attempts))


@pytest.mark.parametrize("window", WINDOWS)
def test_a_lower_limit_holds_from_its_start_to_its_end(window: Window) -> None:
    limit = changed(window, LimitChange(120, 180, requests_per_minute=2))
    # A minute apart, so that each look begins anew in every kind of window; but a bucket takes
    # what it held into the next minute, and fills from there.
    expected = [6, 6, 2, 2, 2, 2 if window == "bucket" else 6, 6]
    assert [passed(limit, now) for now in range(0, 420, 60)] == expected


@pytest.mark.parametrize("window", WINDOWS)
def test_a_higher_limit_and_none_at_all(window: Window) -> None:
    higher = LimitChange(60, 60, requests_per_minute=9)
    limit = changed(window, higher, LimitChange(180, 60, requests_per_minute=0))
    expected = [6, 9, 6, 0, 6]
    if window == "bucket":
        # A bucket fills at the pace of the limit that holds: not at all for a minute of none.
        expected = [6, 6, 6, 0, 0]
    assert [passed(limit, now) for now in range(0, 300, 60)] == expected


def test_a_window_counts_what_passed_before_the_change() -> None:
    limit = changed("sliding", LimitChange(30, 60, requests_per_minute=4))
    assert [passed(limit, now, 3) for now in (0, 30, 59, 60, 89, 90)] == [3, 1, 0, 3, 0, 3]


def test_a_bucket_spills_what_a_lower_limit_cannot_hold_and_fills_at_its_pace() -> None:
    limit = changed("bucket", LimitChange(30, 60, requests_per_minute=2))
    assert passed(limit, 30) == 2
    assert [passed(limit, now) for now in (59, 60, 89, 90)] == [0, 1, 0, 1]
    assert [passed(limit, now) for now in (100, 110, 130)] == [1, 1, 2]


def test_the_later_of_two_changes_that_overlap_holds() -> None:
    limit = changed(
        "sliding",
        LimitChange(60, 240, requests_per_minute=1),
        LimitChange(120, 60, requests_per_minute=3),
    )
    assert [passed(limit, now) for now in range(0, 360, 60)] == [6, 1, 3, 1, 1, 6]


@steady
@given(
    st.sampled_from(WINDOWS),
    st.lists(st.tuples(st.floats(0, 300), st.floats(1, 300), st.integers(0, 9)), max_size=4),
    st.lists(st.floats(0, 20), max_size=80),
)
def test_no_minute_lets_through_more_than_the_largest_limit_allows(
    window: Window, changes: list[tuple[float, float, int]], gaps: list[float]
) -> None:
    limit = changed(
        window,
        *(LimitChange(start, length, requests_per_minute=n) for start, length, n in changes),
    )
    times = [now for now in accumulate(gaps) if limit.admit(now)]
    largest = max([6, *(n for _, _, n in changes)])
    most = max((sum(end - 60 < time <= end for time in times) for end in times), default=0)
    assert most <= (largest if window == "sliding" else 2 * largest)


def test_other_tasks_can_hold_all_places_for_a_while() -> None:
    account = Account(
        service=EXACTLY_10_S,
        concurrent_tasks=2,
        limit_changes=[LimitChange(5, 20, concurrent_tasks=0)],
    )
    task_id = account.accepted(0)
    envelope(account.submit(5), 429)
    assert account.status(11, task_id)["state"] == "success"
    envelope(account.submit(24.9), 429)
    account.accepted(25)
    ledger = account.core.ledger(25)
    assert ledger.refused == {"rate": 0, "concurrency": 2, "fault": 0}
    assert (ledger.running, ledger.most_tasks) == (1, 1)


def test_a_lower_limit_of_tasks_ends_none() -> None:
    account = Account(
        service=EXACTLY_10_S,
        concurrent_tasks=3,
        limit_changes=[LimitChange(5, inf, concurrent_tasks=1)],
    )
    for _ in range(3):
        account.accepted(0)
    envelope(account.submit(9.9), 429)
    assert account.core.ledger(9.9).running == 3
    account.accepted(10)
    envelope(account.submit(10), 429)


def test_each_of_the_two_limits_changes_alone() -> None:
    account = Account(
        requests_per_minute=2,
        concurrent_tasks=1,
        service=EXACTLY_10_S,
        limit_changes=[
            LimitChange(60, 60, concurrent_tasks=2),
            LimitChange(120, 60, requests_per_minute=3, concurrent_tasks=3),
        ],
    )
    for now in (60, 60, 120, 120, 120):
        account.accepted(now)
    assert account.core.ledger(120).refused == {"rate": 0, "concurrency": 0, "fault": 0}
    envelope(account.balance(120), 429)
    assert account.core.ledger(120).refused == {"rate": 1, "concurrency": 0, "fault": 0}


def test_a_place_is_freed_late_though_nothing_runs_on_it() -> None:
    account = Account(service=EXACTLY_10_S, concurrent_tasks=1, freed_late=4.0, speed=2.0)
    task_id = account.accepted(0)
    assert account.status(5, task_id)["state"] == "success"
    assert account.core.ledger(5).running == 0
    envelope(account.submit(8.9), 429)
    account.accepted(9)
    assert account.core.ledger(9).most_tasks == 1


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"requests_per_minute": None}, "requests_per_minute, concurrent_tasks or both"),
        ({"start": -1.0}, "start"),
        ({"length": 0.0}, "length"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
        ({"concurrent_tasks": -1}, "concurrent_tasks"),
    ],
    ids=str,
)
def test_a_change_that_cannot_be_is_refused_by_name(wrong: dict[str, Any], what: str) -> None:
    right: dict[str, Any] = {"start": 1.0, "length": 1.0, "requests_per_minute": 5}
    with pytest.raises(ValueError, match=what):
        LimitChange(**right | wrong)
