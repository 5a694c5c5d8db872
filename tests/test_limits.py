"""What an account may do at once: limits that can be kept."""

from math import inf, nan
from typing import Any

import pytest

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
