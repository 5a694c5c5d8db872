"""The figures behind the statistics."""

import pytest

from nanobanana_async._counters import Counters


def counters(opened_at: float = 100.0) -> Counters:
    return Counters(opened_at)


def test_a_new_client_has_done_nothing() -> None:
    subject = counters()
    assert subject.checks_per_task == 0
    assert subject.mean_lag == 0
    assert subject.completions_per_second(100.0) == 0
    assert subject.requests["submit"] == 0


def test_checks_a_task_are_a_mean_over_good_and_bad_ends() -> None:
    subject = counters()
    for checks in (1, 2, 6):
        subject.finished(101.0, checks, None)
    subject.succeeded, subject.failed = 2, 1
    assert subject.checks_per_task == 3


def test_the_mean_lag_leaves_out_tasks_whose_lag_is_not_known() -> None:
    subject = counters()
    for lag in (1.0, None, 0.0, 2.0, None):
        subject.finished(101.0, 1, lag)
    assert subject.mean_lag == 1


def test_the_mean_service_time_is_that_of_tasks_whose_end_is_known() -> None:
    subject = counters()
    for seconds in (3.0, None, 5.0):
        subject.finished(101.0, 1, None, seconds)
    assert subject.mean_service_time == 4


def test_older_service_times_fade() -> None:
    subject = counters()
    for seconds in 1_000 * [10.0] + 200 * [20.0]:
        subject.finished(101.0, 1, None, seconds)
    assert 16 < subject.mean_service_time < 17
    for _ in range(800):
        subject.finished(101.0, 1, None, 20.0)
    assert subject.mean_service_time == pytest.approx(20, abs=0.1)


def test_completions_are_those_of_the_last_minute() -> None:
    subject = counters(opened_at=0.0)
    for second in range(600):
        subject.finished(float(second), 1, None)
    assert subject.completions_per_second(599.0) == 1
    assert subject.completions_per_second(629.0) == pytest.approx(0.5)
    assert subject.completions_per_second(700.0) == 0


def test_in_the_first_minute_they_are_those_since_the_opening() -> None:
    subject = counters()
    subject.finished(105.0, 1, None)
    subject.finished(110.0, 1, None)
    assert subject.completions_per_second(110.0) == 0.2
    assert subject.completions_per_second(120.0) == 0.1


def test_a_completion_in_the_moment_of_opening_divides_nothing_by_nothing() -> None:
    subject = counters()
    subject.finished(100.0, 1, 0.0)
    assert subject.completions_per_second(100.0) == 0


def test_memory_does_not_grow_with_what_was_done() -> None:
    subject = counters(opened_at=0.0)
    for number in range(10_000):
        subject.finished(number * 1.0, 1, 0.5)
    assert len(subject._completions) <= 60


def test_two_clients_count_for_themselves() -> None:
    one, other = counters(), counters()
    one.requests["look"] += 1
    one.finished(101.0, 1, None)
    assert other.requests["look"] == 0
    assert other.completions_per_second(101.0) == 0
