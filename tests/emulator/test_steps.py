from itertools import pairwise
from math import inf

from hypothesis import given, strategies as st

from nanobanana_async.emulator._steps import Steps

from .driver import steady

eighths = st.integers(0, 8 * 20).map(lambda count: count / 8)
changes = st.dictionaries(eighths, st.integers(0, 9), max_size=6).map(
    lambda values: sorted(values.items())
)


def plain(first: int, changes: list[tuple[float, int]], time: float) -> int:
    return [first, *(value for at, value in changes if at <= time)][-1]


@steady
@given(st.integers(0, 9), changes, eighths)
def test_a_value_holds_from_its_time_to_the_next(
    first: int, changes: list[tuple[float, int]], time: float
) -> None:
    steps = Steps(first, changes)
    assert steps.at(time) == plain(first, changes, time)
    assert steps.next_change(time) == min((at for at, _ in changes if at > time), default=inf)


@steady
@given(st.integers(0, 9), changes, eighths, eighths)
def test_pieces_fill_the_time_between(
    first: int, changes: list[tuple[float, int]], one: float, other: float
) -> None:
    since, until = sorted((one, other))
    pieces = list(Steps(first, changes).pieces(since, until))
    assert sum(seconds for seconds, _ in pieces) == until - since
    edges = [since, *(at for at, _ in changes if since < at <= until), until]
    assert [seconds for seconds, _ in pieces] == [end - begin for begin, end in pairwise(edges)]
    assert [value for _, value in pieces] == [plain(first, changes, at) for at in edges[:-1]]
