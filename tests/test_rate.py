"""The number of requests a minute that is learned from refusals."""

from hypothesis import given, settings, strategies as st

from nanobanana_async._rate import LearnedRate

steady = settings(deadline=None, derandomize=True)


def test_without_refusals_the_limit_is_in_force() -> None:
    subject = LearnedRate(10_000)
    assert [subject.in_force(now) for now in (0.0, 10.0, 1e6)] == [10_000] * 3


def test_a_cut_comes_down_to_what_was_let_in_but_at_most_by_half() -> None:
    subject = LearnedRate(10_000)
    subject.refused(0.0)
    subject.cut(7_000)
    assert subject.in_force(1.0) == 7_000
    subject.cut(1_000)
    assert subject.in_force(2.0) == 3_500
    subject.cut(9_000)
    assert subject.in_force(3.0) == 3_500


def test_it_grows_the_faster_the_longer_no_refusal_came() -> None:
    subject = LearnedRate(10_000)
    subject.refused(0.0)
    subject.cut(5_000)
    assert subject.in_force(10.0) == 5_000
    subject.thaw(10.0)
    assert subject.in_force(20.0) == 5_010
    assert subject.in_force(200.0) == 5_000 - 10 + 20 + 990
    assert subject.in_force(300.0) == 7_000
    subject.refused(300.0)
    assert subject.in_force(310.0) == 7_000
    subject.thaw(310.0)
    assert subject.in_force(320.0) == 7_010


def test_it_grows_in_proportion_to_the_limit() -> None:
    subject = LearnedRate(1_000)
    subject.refused(0.0)
    subject.cut(500)
    subject.thaw(0.0)
    assert subject.in_force(20.0) == 502
    assert subject.in_force(200.0) == 500 + 2 + 99


def test_from_half_it_is_back_within_ten_minutes() -> None:
    subject = LearnedRate(10_000)
    subject.refused(0.0)
    subject.cut(0)
    subject.thaw(5.0)
    assert subject.in_force(500.0) < 10_000
    assert subject.in_force(605.0) == 10_000


def test_a_step_back_is_for_a_number_that_was_cut_and_a_tenth_at_most() -> None:
    subject = LearnedRate(10_000)
    subject.ease(50)
    assert subject.in_force(0.0) == 10_000
    subject.refused(0.0)
    subject.cut(5_000)
    subject.ease(50)
    assert subject.in_force(1.0) == 4_950
    subject.ease(3_000)
    assert subject.in_force(2.0) == 4_455


@steady
@given(
    st.integers(2, 20_000),
    st.lists(
        st.tuples(st.sampled_from(["refused", "thaw", "cut", "configure"]), st.integers(0, 20_000))
    ),
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
        elif step == "configure":
            configured = max(number, 2)
            subject.configure(configured)
        else:
            getattr(subject, step)(now)
        assert 2 <= subject.in_force(now) <= configured


def test_another_limit_is_in_force_at_once() -> None:
    subject = LearnedRate(10_000)
    subject.configure(6_000)
    assert subject.in_force(1.0) == 6_000
    subject.configure(20_000)
    assert subject.in_force(2.0) == 20_000


def test_a_lower_number_that_was_learned_stays_and_grows_to_the_new_limit() -> None:
    subject = LearnedRate(10_000)
    subject.refused(0.0)
    subject.cut(5_000)
    subject.thaw(0.0)
    subject.configure(20_000)
    assert 5_000 <= subject.in_force(1.0) < 5_010
    assert subject.in_force(1e5) == 20_000
    subject.configure(3_000)
    assert subject.in_force(1e5) == 3_000


def test_a_limit_that_dips_below_what_was_learned_does_not_make_it_forgotten() -> None:
    subject = LearnedRate(10_000)
    subject.refused(0.0)
    subject.cut(5_000)
    subject.thaw(0.0)
    subject.configure(3_000)
    assert subject.in_force(1.0) == 3_000
    subject.configure(10_000)
    assert 5_000 <= subject.in_force(2.0) < 5_010


def test_once_it_has_grown_back_it_follows_the_limit_again() -> None:
    subject = LearnedRate(10_000)
    subject.refused(0.0)
    subject.cut(5_000)
    subject.thaw(0.0)
    assert subject.in_force(1e4) == 10_000
    subject.configure(20_000)
    assert subject.in_force(1e4) == 20_000
