"""The three ways to count a minute, each with and without the refused requests."""

from itertools import accumulate
from typing import Literal

import pytest
from hypothesis import given, strategies as st

from nanobanana_async.emulator import Settings
from nanobanana_async.emulator._rate import RateLimit, rate_limit

from .driver import Account, envelope, steady

Window = Literal["sliding", "fixed", "bucket"]
WINDOWS: tuple[Window, ...] = ("sliding", "fixed", "bucket")


def limit(window: Window, requests: int = 3, *, count_refused: bool = True) -> RateLimit:
    return rate_limit(
        Settings(
            window=window,
            requests_per_minute=requests,
            count_refused=count_refused,
            window_offset=10.0,
        )
    )


def admitted(limit: RateLimit, *times: float) -> list[bool]:
    return [limit.admit(time) for time in times]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_minutes_requests_pass_at_once_and_no_more(window: Window) -> None:
    assert admitted(limit(window), 0, 0, 0, 0) == [True, True, True, False]


def test_a_sliding_window_forgets_after_exactly_a_minute() -> None:
    times = (0, 30, 30, 59.875, 60, 60.125, 90, 90)
    expected = [True, True, True, False, True, False, True, True]
    assert admitted(limit("sliding", count_refused=False), *times) == expected


def test_a_sliding_window_that_counts_refusals_stays_shut_while_it_is_hammered() -> None:
    shut = limit("sliding")
    assert admitted(shut, *range(0, 200, 10)) == [True] * 3 + [False] * 17
    assert shut.admit(190 + 60)


def test_a_fixed_window_begins_at_its_offset() -> None:
    times = (9, 9, 9, 9.875, 10, 10, 10, 10, 69.875, 70)
    expected = [True, True, True, False, True, True, True, False, False, True]
    assert admitted(limit("fixed"), *times) == expected
    assert admitted(limit("fixed", count_refused=False), *times) == expected


def test_a_bucket_fills_continuously() -> None:
    times = (0, 0, 0, 0, 19.9, 20, 20, 40, 60, 1_000, 1_000, 1_000, 1_000)
    expected = [True] * 3 + [False] * 2 + [True, False, True, True] + [True] * 3 + [False]
    assert admitted(limit("bucket", count_refused=False), *times) == expected


def test_a_bucket_that_counts_refusals_stays_empty_while_it_is_hammered() -> None:
    empty = limit("bucket")
    assert admitted(empty, 0, 0, 0, *range(10, 200, 10)) == [True] * 3 + [False] * 19
    assert empty.admit(190 + 20)


def test_a_bucket_is_not_shut_by_rounding() -> None:
    steady = limit("bucket", 7)
    assert all(admitted(steady, *[0.0] * 7, *accumulate([60 / 7] * 10_000)))


@steady
@given(
    st.sampled_from(WINDOWS),
    st.lists(st.floats(0, 30), max_size=100),
    st.booleans(),
)
def test_within_any_minute_at_most_twice_the_limit_passes(
    window: Window, gaps: list[float], count_refused: bool
) -> None:
    gate = limit(window, count_refused=count_refused)
    passed = [now for now in accumulate(gaps) if gate.admit(now)]
    most = max((sum(end - 60 < time <= end for time in passed) for end in passed), default=0)
    assert most <= (3 if window == "sliding" else 6)


def test_all_kinds_of_api_requests_count_together_and_downloads_do_not() -> None:
    account = Account(requests_per_minute=3)
    task_id = account.accepted(0)
    for _ in range(5):
        account.download(0, f"/pictures/{task_id}/1.png")
    account.status(0, task_id)
    envelope(account.balance(0), 200)
    refused = account.balance(0)
    assert envelope(refused, 429)["message"] == "Rate limit exceeded"
    assert "retry-after" not in refused.headers  # type: ignore[union-attr]
    assert account.core.ledger(0).refused == {"rate": 1, "concurrency": 0, "fault": 0}
