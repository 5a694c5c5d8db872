"""What an account may do at once: limits that can be kept."""

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from nanobanana_async._limits import Limits


def test_the_limits_are_the_vendors_unless_told_otherwise() -> None:
    assert Limits() == Limits(requests_per_minute=10_000, concurrent_tasks=1_000)


@pytest.mark.parametrize("requests", [1, 0, -5, 2.0, "10", None, True, nan, inf])
def test_fewer_than_two_requests_a_minute_are_refused(requests: Any) -> None:
    with pytest.raises(ValueError, match=r"requests_per_minute must be .* at least 2"):
        Limits(requests_per_minute=requests)


@pytest.mark.parametrize("tasks", [0, -5, 1.5, "10", None, True])
def test_fewer_than_one_task_is_refused(tasks: Any) -> None:
    with pytest.raises(ValueError, match=r"concurrent_tasks must be .* at least 1"):
        Limits(concurrent_tasks=tasks)


def test_the_least_limits_are_taken() -> None:
    assert Limits(requests_per_minute=2, concurrent_tasks=1).requests_per_minute == 2


def test_nobody_is_optimistic_unasked() -> None:
    assert not Limits().optimistic


@pytest.mark.parametrize("value", [1, 0, "yes", None])
def test_optimistic_is_true_or_false(value: Any) -> None:
    with pytest.raises(ValueError, match="optimistic must be True or False"):
        Limits(optimistic=value)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.integers(1, 60), st.integers(0, 5_000), st.integers(0, 500), st.booleans())
def test_shares_are_the_whole_together_and_nearly_equal(
    of: int, more_requests: int, more_tasks: int, optimistic: bool
) -> None:
    whole = Limits(2 * of + more_requests, of + more_tasks, optimistic=optimistic)
    shares = [whole.share(index, of=of) for index in range(1, of + 1)]
    for name in ("requests_per_minute", "concurrent_tasks"):
        parts = [getattr(share, name) for share in shares]
        assert sum(parts) == getattr(whole, name)
        assert max(parts) - min(parts) <= 1
        assert parts == sorted(parts, reverse=True)
    assert all(share.optimistic is optimistic for share in shares)


@pytest.mark.parametrize("of", [0, -1, 2.0, "4", None, True])
def test_limits_are_shared_by_a_whole_number(of: Any) -> None:
    with pytest.raises(ValueError, match="of must be a whole number of at least 1"):
        Limits().share(1, of=of)


@pytest.mark.parametrize("index", [0, 5, -1, 1.0, "1", None, True])
def test_shares_are_counted_from_one(index: Any) -> None:
    with pytest.raises(ValueError, match="index must be a whole number from 1 to 4"):
        Limits().share(index, of=4)


@pytest.mark.parametrize("index", [1, 5])
@pytest.mark.parametrize("whole", [Limits(9, 100), Limits(100, 4)])
def test_where_one_share_could_not_be_kept_each_is_refused(whole: Limits, index: int) -> None:
    """Not the last worker alone, which would be found out late."""
    with pytest.raises(ValueError, match=r"shared by 5: .* so 4 can share them at most"):
        whole.share(index, of=5)
    assert whole.share(4, of=4).concurrent_tasks >= 1
