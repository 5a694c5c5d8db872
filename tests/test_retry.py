"""How long to wait before the next try."""

from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from nanobanana_async._retry import Backoff

steady = settings(deadline=None, derandomize=True)


def delays(backoff: Backoff, count: int, seed: int = 1) -> list[float]:
    random = Random(seed)
    return [backoff.delay(failures, random) for failures in range(1, count + 1)]


def test_delays_double_from_the_first_to_the_most() -> None:
    assert delays(Backoff(1.0, 30.0), 8) == [1, 2, 4, 8, 16, 30, 30, 30]
    assert delays(Backoff(1.0, 8.0), 6) == [1, 2, 4, 8, 8, 8]
    assert delays(Backoff(0.0, 0.0), 3) == [0, 0, 0]


def test_a_first_delay_above_the_most_is_cut() -> None:
    assert delays(Backoff(5.0, 3.0), 2) == [3, 3]


@pytest.mark.parametrize("failures", [65, 10_000, 10**9])
def test_endless_trouble_waits_the_most(failures: int) -> None:
    assert Backoff(1.0, 30.0).delay(failures, Random(1)) == 30


@steady
@given(
    st.floats(0.001, 10), st.floats(0.001, 100), st.floats(0, 1), st.integers(1, 99), st.integers()
)
def test_jitter_moves_a_delay_by_no_more_than_its_share(
    first: float, most: float, jitter: float, failures: int, seed: int
) -> None:
    exact = Backoff(first, most).delay(failures, Random(seed))
    delay = Backoff(first, most, jitter).delay(failures, Random(seed))
    assert exact * (1 - jitter) * (1 - 1e-9) <= delay <= exact * (1 + jitter) * (1 + 1e-9)


def test_jitter_spreads_to_both_sides() -> None:
    random = Random(1)
    backoff = Backoff(1.0, 1.0, jitter=0.5)
    drawn = [backoff.delay(1, random) for _ in range(200)]
    assert min(drawn) < 0.6
    assert max(drawn) > 1.4
    assert abs(sum(drawn) / 200 - 1) < 0.1


def test_the_same_randomness_gives_the_same_delays() -> None:
    backoff = Backoff(1.0, 30.0, jitter=0.1)
    assert delays(backoff, 9, seed=7) == delays(backoff, 9, seed=7)
    assert delays(backoff, 9, seed=7) != delays(backoff, 9, seed=8)
