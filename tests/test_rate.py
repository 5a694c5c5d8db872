"""The number of requests a minute that is learned from refusals."""

from hypothesis import given, settings, strategies as st

from nanobanana_async._rate import LearnedRate

steady = settings(deadline=None, derandomize=True)


def test_without_refusals_the_limit_is_in_force() -> None:
    subject = LearnedRate(10_000)
    assert [subject.in_force(now) for now in (0.0, 10.0, 1e6)] == [10_000] * 3


def test_a_cut_comes_down_to_what_was_let_in_but_at_most_by_half() -> None:
    subject = LearnedRate(10_000)
    subject.freeze(0.0)
    subject.cut(7_000)
    assert subject.in_force(1.0) == 7_000
    subject.cut(1_000)
    assert subject.in_force(2.0) == 3_500
    subject.cut(9_000)
    assert subject.in_force(3.0) == 3_500


def test_it_grows_by_five_a_second_up_to_the_limit_but_not_while_frozen() -> None:
    subject = LearnedRate(10_000)
    subject.freeze(0.0)
    subject.cut(5_000)
    assert subject.in_force(100.0) == 5_000
    subject.thaw(100.0)
    assert subject.in_force(101.0) == 5_005
    assert subject.in_force(600.0) == 7_500
    subject.freeze(700.0)
    assert subject.in_force(900.0) == 8_000
    subject.thaw(900.0)
    assert subject.in_force(1_299.0) == 9_995
    assert subject.in_force(1_500.0) == 10_000


@steady
@given(
    st.integers(2, 20_000),
    st.lists(st.tuples(st.sampled_from(["freeze", "thaw", "cut"]), st.integers(0, 20_000))),
)
def test_it_is_never_above_the_limit_nor_below_two(
    configured: int, steps: list[tuple[str, int]]
) -> None:
    subject, now = LearnedRate(configured), 0.0
    for step, number in steps:
        now += number / 100
        if step == "cut":
            before = subject.in_force(now)
            subject.cut(number)
            assert subject.in_force(now) <= before
        else:
            getattr(subject, step)(now)
        assert 2 <= subject.in_force(now) <= configured
