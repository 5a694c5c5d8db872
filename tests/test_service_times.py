"""What an unknown submit's slot is held for: the time that 99 of 100 tasks take."""

from hypothesis import given, settings, strategies as st

from nanobanana_async._service_times import ServiceTimes

CLASS = ("nano-banana-2", "text-to-image", "1K", None)


def test_nothing_is_said_before_two_hundred_were_seen() -> None:
    subject = ServiceTimes()
    for _ in range(199):
        subject.observe(CLASS, 10.0)
    assert subject.slow(CLASS) is None
    subject.observe(CLASS, 10.0)
    assert subject.slow(CLASS) == 10.0
    assert subject.slow(("nano-banana-2", "text-to-image", "4K", None)) is None


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.floats(0.0, 1e4), min_size=200, max_size=1_000))
def test_one_in_a_hundred_takes_longer_at_most(times: list[float]) -> None:
    subject = ServiceTimes()
    for seconds in times:
        subject.observe(CLASS, seconds)
    slow = subject.slow(CLASS)
    assert slow in times
    assert slow is not None
    assert sum(seconds > slow for seconds in times) <= 0.01 * len(times)


def test_old_times_are_forgotten_and_classes_are_not_collected_without_end() -> None:
    subject = ServiceTimes()
    for seconds in [500.0] * 1_000 + [5.0] * 1_000:
        subject.observe(CLASS, seconds)
    assert subject.slow(CLASS) == 5.0
    for number in range(1_000):
        subject.observe((str(number), None, None, None), 1.0)
    assert len(subject._times) == 100
