from itertools import accumulate

from hypothesis import given, strategies as st

from nanobanana_async.emulator._book import Book
from nanobanana_async.emulator._windows import MINUTE, FixedWindow, SlidingWindow

from .driver import steady

# Multiples of 1/8 s are exact floats, so edges of windows are hit and not just approached.
gaps = st.lists(st.integers(0, 8 * 50).map(lambda n: n / 8), min_size=1, max_size=60)
offsets = st.integers(0, 8 * 60).map(lambda n: n / 8)


@steady
@given(gaps)
def test_a_sliding_window_counts_the_last_minute(gaps: list[float]) -> None:
    window, seen = SlidingWindow(), []
    for now in accumulate(gaps):
        window.add(now)
        seen.append(now)
        assert window.count(now) == sum(now - MINUTE < time <= now for time in seen)


@steady
@given(gaps, offsets)
def test_a_fixed_window_counts_since_it_began(gaps: list[float], offset: float) -> None:
    window, seen = FixedWindow(offset), []
    for now in accumulate(gaps):
        window.add(now)
        seen.append(now)
        assert window.count(now) == sum(
            (time - offset) // MINUTE == (now - offset) // MINUTE for time in seen
        )


@steady
@given(gaps, offsets)
def test_the_fullest_windows_are_those_of_a_plain_count(gaps: list[float], offset: float) -> None:
    book, times = Book(offset), list(accumulate(gaps))
    for now in times:
        book.arrived(now, "check")
    ledger = book.ledger(0)
    assert ledger.fullest_window == max(
        sum(end - MINUTE < time <= end for time in times) for end in times
    )
    fixed = [(time - offset) // MINUTE for time in times]
    assert ledger.fullest_fixed_window == max(map(fixed.count, fixed))
    assert ledger.fullest_fixed_window <= ledger.fullest_window


def test_downloads_are_in_no_window() -> None:
    book = Book(0.0)
    book.arrived(0.0, "download")
    assert book.ledger(0).fullest_window == book.ledger(0).fullest_fixed_window == 0
