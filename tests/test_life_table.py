"""The life table: what looks teach, and the clock that runs with the square root of the hazard."""

import math
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from nanobanana_async._life_table import BINS, LifeTable

steady = settings(deadline=None, derandomize=True, max_examples=100)
ages = st.floats(0.0, 50_000.0)


def taught(median: float, sigma: float, tasks: int = 3_000, seed: int = 1) -> LifeTable:
    """A table that has watched lognormal tasks to their ends."""
    table, rng = LifeTable(), Random(seed)
    for _ in range(tasks):
        table.ended(0.0, median * rng.lognormvariate(0.0, sigma))
    return table


def true_hazard(age: float, median: float, sigma: float) -> float:
    z = math.log(age / median) / sigma
    density = math.exp(-z * z / 2) / (age * sigma * math.sqrt(2 * math.pi))
    return density / (0.5 * math.erfc(z / math.sqrt(2)))


def test_a_cold_table_expects_a_task_to_take_as_long_again() -> None:
    table = LifeTable()
    assert table.hazard(1.0) == pytest.approx(1 / 15)
    assert table.hazard(1_000.0) == pytest.approx(1 / 1_000, rel=0.2)
    assert table.ended_count == 0


@steady
@given(st.lists(st.tuples(ages, ages), max_size=60))
def test_every_second_and_every_end_is_counted_once(spans: list[tuple[float, float]]) -> None:
    table, watched = LifeTable(), 0.0
    for one, other in spans:
        since, until = sorted((one, other))
        table.ran(since, until)
        watched += until - since
    ends, exposure = table.export()
    assert sum(ends) == 0
    assert sum(exposure) == pytest.approx(watched, abs=0.001 * BINS)


@steady
@given(ages, ages)
def test_seconds_stand_in_the_bins_between_both_ages(one: float, other: float) -> None:
    since, until = sorted((one, other))
    table = LifeTable()
    table.ran(since, until)
    for number, seconds in enumerate(table.export()[1]):
        start = 0.0 if number == 0 else 0.25 * 1.15 ** (number - 1)
        end = math.inf if number == BINS - 1 else 0.25 * 1.15**number
        inside = max(min(until, end) - max(since, start), 0.0)
        assert seconds == pytest.approx(inside, abs=0.001)


@steady
@given(st.lists(st.tuples(ages, st.booleans()), max_size=100), st.lists(ages, min_size=2))
def test_the_clock_runs_with_the_square_root_of_the_hazard(
    lives: list[tuple[float, bool]], asked: list[float]
) -> None:
    table = LifeTable()
    for age, over in lives:
        (table.ended if over else table.ran)(0.0, age)
    for age in asked:
        assert table.age_at(table.clock(age)) == pytest.approx(age, rel=1e-6, abs=1e-6)
        speed = (table.clock(age + 1e-3) - table.clock(age)) / 1e-3
        nearby = (table.hazard(age), table.hazard(age + 1e-3))
        assert math.sqrt(min(nearby)) <= speed * 1.001
        assert math.sqrt(max(nearby)) >= speed * 0.999
    assert sorted(asked, key=table.clock) == sorted(asked)


@pytest.mark.parametrize(("median", "sigma"), [(15.0, 0.6), (15.0, 0.3), (60.0, 0.6)])
def test_the_hazard_of_a_lognormal_is_learned(median: float, sigma: float) -> None:
    table = taught(median, sigma)
    for share in (0.25, 0.5, 0.75):
        age = median * math.exp(sigma * {0.25: -0.674, 0.5: 0.0, 0.75: 0.674}[share])
        assert table.hazard(age) == pytest.approx(true_hazard(age, median, sigma), rel=0.2)
        assert table.quantile(share) == pytest.approx(age, rel=0.06)
    p99 = median * math.exp(sigma * 2.326)
    assert table.quantile(0.99) == pytest.approx(p99, rel=0.15)


def test_looks_at_survivors_count_as_much_as_ends() -> None:
    """Of tasks that were only ever watched to 20 s, nothing is taken for known beyond."""
    table, rng = LifeTable(), Random(1)
    for _ in range(3_000):
        seconds = 15.0 * rng.lognormvariate(0.0, 0.6)
        if seconds > 20:
            table.ran(0.0, 20.0)
        else:
            table.ended(0.0, seconds)
    assert table.hazard(15.0) == pytest.approx(true_hazard(15.0, 15.0, 0.6), rel=0.2)
    assert table.hazard(100.0) == pytest.approx(1 / 100, rel=0.2)


def test_no_quantile_is_beyond_what_was_seen() -> None:
    assert LifeTable().quantile(0.99) == 0
    table = LifeTable()
    for _ in range(300):
        table.ended(0.0, 2.0)
    assert 2.0 <= table.quantile(0.99) <= 2.0 * 1.15


def test_what_is_long_ago_is_forgotten() -> None:
    table = taught(60.0, 0.2, tasks=2_000)
    rng = Random(2)
    for _ in range(4_000):
        table.ended(0.0, 10.0 * rng.lognormvariate(0.0, 0.2))
    assert table.quantile(0.5) == pytest.approx(10, rel=0.1)
    assert table.ended_count <= 1_000.5


def test_thirty_thousand_completions_later_the_weights_are_as_good_as_new() -> None:
    """They grow with each completion and are scaled down once in a while, unseen from outside."""
    assert 1.001**30_000 > 1e9
    young, old = taught(15.0, 0.6, tasks=3_000, seed=5), LifeTable()
    rng = Random(4)
    for _ in range(27_000):
        old.ended(0.0, 15.0 * rng.lognormvariate(0.0, 0.6))
    rng = Random(5)
    for _ in range(3_000):
        old.ended(0.0, 15.0 * rng.lognormvariate(0.0, 0.6))
    assert old._weight < 1e9
    for age in (5.0, 15.0, 30.0):
        assert old.hazard(age) == pytest.approx(young.hazard(age), rel=0.05)


@pytest.mark.parametrize("age", [0.0, -1e-16, 1e7])
def test_odd_ages_do_no_harm(age: float) -> None:
    table = taught(15.0, 0.6)
    before = table.hazard(15.0)
    table.ran(0.0, age)
    table.ended(age, age)
    for _ in range(32):
        table.ran(0.0, 0.0)
    assert table.hazard(15.0) == pytest.approx(before, rel=0.01)
    assert math.isfinite(table.clock(age))
    assert table.age_at(table.clock(max(age, 0.0))) == pytest.approx(max(age, 0.0))
