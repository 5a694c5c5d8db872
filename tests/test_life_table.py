"""The life table: what looks teach, and the clock that runs with the square root of the hazard."""

import math
from collections.abc import Iterable
from itertools import pairwise
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


EDGES = (0.0, *(0.25 * 1.15**power for power in range(BINS - 1)), math.inf)


def by_hand(lives: Iterable[tuple[float, float, bool]]) -> list[tuple[float, float]]:
    """Ends and seconds watched in each bin, summed up without any haste."""
    lives = list(lives)
    ends, watched = [0.0] * BINS, [0.0] * BINS
    for number, (since, until, over) in enumerate(lives):
        ended_after = sum(later_over for _, _, later_over in lives[number:])
        weight = 1.001**-ended_after
        for place, (start, end) in enumerate(pairwise(EDGES)):
            watched[place] += weight * max(min(until, end) - max(since, start), 0.0)
            ends[place] += weight * (over and start <= until < end)
    return list(zip(ends, watched, strict=True))


def teach(table: LifeTable, lives: Iterable[tuple[float, float, bool]]) -> None:
    for since, until, over in lives:
        (table.ended if over else table.ran)(since, until)


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


some_lives = st.lists(st.tuples(ages, ages, st.booleans()), min_size=1, max_size=12).map(
    lambda lives: [(min(life[:2]), max(life[:2]), life[2]) for life in lives]
)


@steady
@given(some_lives)
def test_hazard_and_clock_are_what_a_direct_formula_gives(
    lives: list[tuple[float, float, bool]],
) -> None:
    lives = (lives * 64)[:64]  # the clock is rebuilt every 32 observations
    table = LifeTable()
    teach(table, lives)
    raw = [
        (ends + 0.25) / (watched + 0.25 * max(15.0, start))
        for (ends, watched), start in zip(by_hand(lives), EDGES, strict=False)
    ]
    clock = 0.0
    for place, (start, end) in enumerate(pairwise(EDGES)):
        before, after = raw[max(place - 1, 0)], raw[min(place + 1, BINS - 1)]
        hazard = (before + 2 * raw[place] + after) / 4
        inside = start + 1 if end == math.inf else (start + end) / 2
        assert table.hazard(inside) == pytest.approx(hazard, rel=1e-9)
        assert table.clock(start) == pytest.approx(clock, rel=1e-9)
        clock += math.sqrt(hazard) * (inside - start)
        assert table.clock(inside) == pytest.approx(clock, rel=1e-9)
        clock += math.sqrt(hazard) * (end - inside)


@steady
@given(some_lives, st.floats(0.01, 0.999))
def test_a_quantile_is_where_the_summed_hazard_reaches_it(
    lives: list[tuple[float, float, bool]], share: float
) -> None:
    table = LifeTable()
    teach(table, lives)
    found = table.quantile(share)
    summed = 0.0
    bins = by_hand(lives)[:-1]
    for (ends, watched), (start, end) in zip(bins, pairwise(EDGES), strict=False):
        inside = max(min(found, end) - start, 0.0)
        summed += ends / watched * inside if watched else 0.0
    if summed < -math.log(1 - share) * (1 - 1e-9):
        seen = [end for (_, watched), end in zip(bins, EDGES[1:], strict=False) if watched]
        assert found == max(seen, default=0.0)
    else:
        assert summed == pytest.approx(-math.log(1 - share))


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


def test_when_the_weights_are_scaled_down_nothing_is_seen_of_it() -> None:
    light, heavy, rng = LifeTable(), LifeTable(), Random(6)
    heavy._weight = 0.9e9
    for _ in range(640):
        age = 15.0 * rng.lognormvariate(0.0, 0.6)
        for table in (light, heavy):
            table.ran(0.0, age / 2)
            table.ended(age / 2, age)
    assert heavy._weight < 10
    assert heavy.ended_count == pytest.approx(light.ended_count)
    assert heavy.quantile(0.99) == pytest.approx(light.quantile(0.99))
    for of_heavy, of_light in zip(heavy.export(), light.export(), strict=True):
        assert of_heavy == pytest.approx(of_light)
    for age in (0.1, 5.0, 15.0, 30.0, 1_000.0):
        assert heavy.hazard(age) == pytest.approx(light.hazard(age))
        assert heavy.clock(age) == pytest.approx(light.clock(age))


@pytest.mark.parametrize(
    ("age", "place"), [(-1e-16, 0), (0.0, 0), (0.249, 0), (0.25, 1), (1e5, BINS - 1)]
)
def test_an_end_counts_in_the_bin_of_its_age(age: float, place: int) -> None:
    table = LifeTable()
    table.ended(age, age)
    ends, exposure = table.export()
    assert [number for number, count in enumerate(ends) if count] == [place]
    assert sum(exposure) == 0


def test_one_seen_at_an_age_before_the_last_one_adds_nothing() -> None:
    """Two clocks may be off by a rounding."""
    table = LifeTable()
    table.ran(15.0, 14.0)
    assert sum(table.export()[1]) == 0
    table.ran(-1e-16, 0.1)
    assert table.export()[1][0] == pytest.approx(0.1)


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


def test_a_heavy_table_that_was_read_fades_as_fast_as_one_that_was_learned() -> None:
    ends, exposure = taught(15.0, 0.6).export()
    table = LifeTable([1_000.0 * number for number in ends], [1_000.0 * one for one in exposure])
    assert table.ended_count == pytest.approx(1_000, rel=0.01)
    assert table.hazard(15.0) == pytest.approx(true_hazard(15.0, 15.0, 0.6), rel=0.2)
    for _ in range(4_000):
        table.ended(0.0, 60.0)
    assert table.hazard(15.0) < 0.01


def test_a_table_of_tasks_that_ended_at_once_is_not_blank() -> None:
    table = LifeTable()
    assert table.is_blank
    table.ended(0.0, 0.0)
    assert not table.is_blank


@given(st.floats(0.0, 60.0), st.floats(0.01, 0.99))
@settings(steady, max_examples=20)
def test_the_share_that_has_ended_by_an_age_is_what_the_hazard_gives(
    age: float, share: float
) -> None:
    """Against the hazard, summed in small steps."""
    table = taught(15.0, 0.6)
    until = table.ended_by(age, share)
    steps = 2_000
    width = (until - age) / steps
    risk = width * sum(table.hazard(age + (step + 0.5) * width) for step in range(steps))
    assert 1 - math.exp(-risk) == pytest.approx(share, abs=0.01)


def test_nearly_all_have_ended_long_after_what_was_seen() -> None:
    """The last bin has no end: any share is reached, however long that takes."""
    table = LifeTable()
    assert table.ended_by(0.0, 0.9) < table.ended_by(1e6, 0.9) < math.inf
