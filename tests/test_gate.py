"""The gate: trouble closes it for all, and one probe at a time finds out when it is over."""

from collections.abc import Callable
from math import inf
from random import Random

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nanobanana_async._gate import Gate
from nanobanana_async._retry import Backoff

steady = settings(deadline=None, derandomize=True, max_examples=100, stateful_step_count=40)


def gate(first: float = 1.0, most: float = 8.0) -> Gate:
    return Gate(Backoff(first, most), Random(1))


def test_an_open_gate_lets_everything_pass() -> None:
    subject = gate()
    assert subject.is_open
    assert subject.opens_at == -inf
    assert not any(subject.enter() for _ in range(10))
    assert subject.opens_at == -inf


def test_the_first_trouble_closes_it_for_the_first_wait() -> None:
    subject = gate()
    subject.close(100.0)
    assert not subject.is_open
    assert subject.closed_at == 100
    assert subject.opens_at == 101


def test_closing_may_ask_for_a_wait_of_its_own() -> None:
    subject = gate()
    subject.close(100.0, 0.25)
    assert subject.opens_at == 100.25


def test_a_closed_gate_stays_closed_since_the_first_trouble_and_waits_the_longer() -> None:
    subject = gate()
    subject.close(100.0, 5.0)
    subject.close(101.0, 1.0)
    assert subject.opens_at == 105
    subject.close(102.0, 7.0)
    assert subject.opens_at == 109
    subject.close(103.0)
    assert (subject.closed_at, subject.opens_at) == (100, 109)


def test_nothing_passes_while_a_probe_is_under_way() -> None:
    subject = gate()
    subject.close(0.0)
    assert subject.enter()
    assert subject.opens_at == inf
    subject.close(1.0, 30.0)
    assert subject.opens_at == inf


def test_waits_grow_as_configured_from_probe_to_probe() -> None:
    subject = gate()
    subject.close(0.0)
    waits = [subject.opens_at]
    now = subject.opens_at
    for _ in range(5):
        probe = subject.enter()
        now += 0.5
        subject.probe_failed(probe, now)
        waits.append(subject.opens_at - now)
        now = subject.opens_at
    assert waits == [1, 2, 4, 8, 8, 8]


def test_a_hold_that_was_asked_for_leaves_the_growing_waits_for_the_probes() -> None:
    subject = gate()
    subject.close(0.0, 0.125)
    waits = []
    for _ in range(4):
        subject.probe_failed(subject.enter(), 10.0)
        waits.append(subject.opens_at - 10)
    assert waits == [1, 2, 4, 8]


def test_a_probe_may_be_told_to_wait_longer_never_shorter() -> None:
    subject = gate()
    subject.close(0.0)
    subject.probe_failed(subject.enter(), 10.0, 100.0)
    assert subject.opens_at == 110
    subject.probe_failed(subject.enter(), 110.0, 0.5)
    assert subject.opens_at == 114


def test_a_probe_that_told_nothing_is_followed_by_one_after_the_same_wait() -> None:
    subject = gate()
    subject.close(0.0)
    subject.probe_failed(subject.enter(), 1.0)
    for now in (10.0, 20.0, 30.0):
        subject.probe_told_nothing(subject.enter(), now)
        assert subject.opens_at - now == 2
    subject.probe_failed(subject.enter(), 40.0)
    assert subject.opens_at - 40 == 4


def test_success_opens_it_and_the_next_trouble_begins_anew() -> None:
    subject = gate()
    subject.close(0.0)
    for _ in range(4):
        subject.probe_failed(subject.enter(), 1.0)
    subject.enter()
    subject.open()
    assert (subject.is_open, subject.opens_at, subject.closed_at) == (True, -inf, None)
    assert not subject.enter()
    subject.close(50.0)
    assert (subject.closed_at, subject.opens_at) == (50, 51)


@pytest.mark.parametrize("report", [Gate.probe_failed, Gate.probe_told_nothing])
def test_a_late_report_of_a_probe_does_not_hold_up_an_open_gate(
    report: Callable[[Gate, int, float], None],
) -> None:
    subject = gate()
    subject.close(0.0)
    probe = subject.enter()
    subject.open()
    report(subject, probe, 5.0)
    assert subject.is_open
    assert subject.opens_at == -inf


@pytest.mark.parametrize("report", [Gate.probe_failed, Gate.probe_told_nothing])
def test_a_late_report_lets_no_second_probe_out(
    report: Callable[[Gate, int, float], None],
) -> None:
    subject = gate()
    subject.close(0.0)
    late = subject.enter()
    subject.open()
    subject.close(5.0)
    subject.enter()
    report(subject, late, 6.0)
    assert subject.opens_at == inf


class Crowd(RuleBasedStateMachine):
    """Many callers on one gate; a probe's end is always reported before its trouble is over."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = gate()
        self.now = 0.0
        self.probes: list[int] = []
        self.asked_until = -inf
        self.failures = 0

    @rule(seconds=st.sampled_from([0.0, 0.125, 1.0, 4.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(wait=st.none() | st.sampled_from([0.125, 3.0, 20.0]))
    def trouble(self, wait: float | None) -> None:
        if self.gate.is_open and wait is None:
            self.failures = 1
        self.gate.close(self.now, wait)
        self.asked_until = max(self.asked_until, self.now + (wait or 0.0))

    @precondition(lambda self: self.gate.opens_at <= self.now)
    @rule()
    def somebody_passes(self) -> None:
        closed = not self.gate.is_open
        probe = self.gate.enter()
        assert bool(probe) is closed
        if closed:
            assert self.now >= self.asked_until
            self.probes.append(probe)

    @precondition(lambda self: self.probes)
    @rule()
    def the_probe_meets_the_same(self) -> None:
        self.failures += 1
        self.gate.probe_failed(self.probes.pop(), self.now)
        assert self.gate.opens_at - self.now == min(2.0 ** (self.failures - 1), 8.0)

    @precondition(lambda self: self.probes)
    @rule()
    def the_probe_tells_nothing(self) -> None:
        self.gate.probe_told_nothing(self.probes.pop(), self.now)
        assert self.gate.opens_at - self.now == min(2.0 ** max(self.failures - 1, 0), 8.0)

    @rule()
    def somebody_succeeds(self) -> None:
        self.gate.open()
        self.probes, self.failures = [], 0
        self.asked_until = -inf
        assert self.gate.is_open

    @invariant()
    def one_probe_at_a_time(self) -> None:
        assert len(self.probes) <= 1
        assert (self.gate.opens_at == inf) is (len(self.probes) == 1)

    @invariant()
    def an_open_gate_holds_up_nobody(self) -> None:
        assert self.gate.is_open is (self.gate.closed_at is None)
        if self.gate.is_open:
            assert self.gate.opens_at == -inf


TestCrowd = Crowd.TestCase
TestCrowd.settings = steady
