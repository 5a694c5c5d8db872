"""The window ledger, against a server that counts each request when it likes."""

from math import inf
from typing import Literal

import pytest
from attrs import define, field
from hypothesis import given, settings, strategies as st

from nanobanana_async._ledger import WindowLedger

steady = settings(deadline=None, derandomize=True, max_examples=200)

GRACE = 30.0
WINDOW = 60.0
# Eighths of a second are exact in binary: no rounding hides an error or makes one.
eighths = st.integers(0, 8 * 70).map(lambda count: count / 8)

End = Literal["answered", "given up", "not sent"]


def ledger(places: int = 2) -> WindowLedger:
    return WindowLedger(places, grace=GRACE)


def test_a_new_ledger_has_every_place_free() -> None:
    assert ledger(7).left(0.0) == 7
    assert ledger(7).free_at(0.0) == -inf


def test_a_request_under_way_holds_its_place_however_long_it_takes() -> None:
    subject = ledger(1)
    subject.take()
    assert subject.left(10_000.0) == 0
    assert subject.free_at(10_000.0) == inf


def test_a_place_is_free_a_minute_after_the_answer() -> None:
    subject = ledger(1)
    subject.take()
    subject.answered(5.0)
    assert subject.free_at(5.0) == 65
    assert subject.left(64.875) == 0
    assert subject.left(65.0) == 1
    assert subject.free_at(65.0) == -inf


def test_a_place_without_an_answer_is_kept_for_the_grace_as_well() -> None:
    subject = ledger(1)
    subject.take()
    subject.given_up(5.0)
    assert subject.free_at(5.0) == 95
    assert subject.left(94.875) == 0
    assert subject.left(95.0) == 1


def test_a_request_that_never_left_gives_its_place_back_at_once() -> None:
    subject = ledger(1)
    subject.take()
    subject.not_sent()
    assert subject.left(0.0) == 1


def test_the_next_free_place_is_the_earliest_of_all() -> None:
    subject = ledger(3)
    for _ in range(3):
        subject.take()
    subject.given_up(0.0)
    assert subject.free_at(0.0) == 90
    subject.answered(10.0)
    assert subject.free_at(10.0) == 70
    subject.answered(20.0)
    assert subject.free_at(20.0) == 70
    assert subject.free_at(70.0) == -inf
    subject.take()
    assert subject.free_at(70.0) == 80


def test_a_window_may_have_another_length() -> None:
    subject = WindowLedger(1, grace=2.0, window=10.0)
    subject.take()
    subject.answered(0.0)
    assert subject.free_at(0.0) == 10


def test_memory_does_not_grow_with_what_was_done() -> None:
    subject = ledger(3)
    for number in range(1_000):
        now = number * 61.0
        assert subject.left(now) == 3
        subject.take()
        subject.answered(now)
    assert len(subject._answered) <= 3


@define
class Server:
    """Stamps each request at some time between its leaving and the latest time that it may come."""

    stamps: list[float] = field(factory=list)

    def fullest_sliding_window(self) -> int:
        return max((self.seen(start) for start in self.stamps), default=0)

    def fullest_fixed_window(self, offset: float) -> int:
        if not self.stamps:
            return 0
        first = offset + (min(self.stamps) - offset) // WINDOW * WINDOW
        count = int((max(self.stamps) - first) // WINDOW) + 1
        return max(self.seen(first + WINDOW * number) for number in range(count))

    def seen(self, start: float) -> int:
        return sum(start <= stamp < start + WINDOW for stamp in self.stamps)


requests = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.0, 0.125, 1.0, 20.0]),
        st.sampled_from([0.0, 0.125, 2.0, 30.0, 55.0]),
        st.sampled_from(["answered", "answered", "answered", "given up", "not sent"]),
        st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    ),
    min_size=1,
    max_size=40,
)


def report(subject: WindowLedger, at: float, end: End) -> None:
    match end:
        case "answered":
            subject.answered(at)
        case "given up":
            subject.given_up(at)
        case "not sent":
            subject.not_sent()


@steady
@given(st.integers(1, 5), requests, eighths)
def test_no_window_at_the_server_ever_holds_more_than_the_places(
    places: int, plan: list[tuple[float, float, End, float]], offset: float
) -> None:
    subject, server, now = ledger(places), Server(), 0.0
    under_way: list[tuple[float, End]] = []

    def settle(until: float) -> None:
        for at, end in sorted(under_way):
            if at <= until:
                under_way.remove((at, end))
                report(subject, at, end)

    for pause, length, end, share in plan:
        now += pause
        settle(now)
        while (free_at := subject.free_at(now)) > now:
            now = free_at if free_at < inf else min(under_way)[0]
            settle(now)
        assert subject.left(now) > 0
        subject.take()
        under_way.append((now + length, end))
        if end != "not sent":
            server.stamps.append(now + (length + GRACE * (end == "given up")) * share)
    assert server.fullest_sliding_window() <= places
    assert server.fullest_fixed_window(offset) <= places


@pytest.mark.parametrize("places", [1, 10])
def test_an_honest_server_is_used_to_the_full(places: int) -> None:
    subject, server = ledger(places), Server()
    for eighth in range(8 * 600):
        now = eighth / 8
        while subject.left(now):
            subject.take()
            subject.answered(now)
            server.stamps.append(now)
    assert len(server.stamps) == 10 * places
    assert server.fullest_sliding_window() == places


@steady
@given(st.lists(st.tuples(eighths, st.booleans()), min_size=1, max_size=30))
def test_left_never_lies_about_the_places(plan: list[tuple[float, bool]]) -> None:
    subject, now, taken = ledger(5), 0.0, 0
    for pause, finish in plan:
        now += pause
        before = subject.left(now)
        assert 0 <= before <= 5
        assert (subject.free_at(now) == -inf) is (before > 0)
        if finish and taken:
            subject.answered(now)
            taken -= 1
            assert subject.left(now) == before
        elif before:
            subject.take()
            taken += 1
            assert subject.left(now) == before - 1
