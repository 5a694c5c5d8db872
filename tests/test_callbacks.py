"""The table of callbacks: what is known of a token, and for how long."""

import pytest

from nanobanana_async._callback import Callback
from nanobanana_async._callbacks import Callbacks, Over
from nanobanana_async._journal import Kind, Past
from tests.hooked import HOOKS


def past(mark: bytes, kind: Kind = Kind.ENDED) -> Past:
    return Past(1, 0.0, "key", mark.hex(), {}, kind=kind, task_id="task_1")


@pytest.fixture
def table() -> Callbacks:
    return Callbacks(HOOKS)


@pytest.mark.parametrize(("ago", "until"), [(500.0, 1_100.0), (0.0, 1_600.0), (-50.0, 1_600.0)])
def test_an_end_in_the_journal_counts_from_when_it_was(
    table: Callbacks, ago: float, until: float
) -> None:
    """Or from now, where the wall clock was set back."""
    token, mark = table._tokens.mint()
    table.remember(past(mark), 1_000.0, seconds_ago=ago)
    known = table.find(token)
    assert isinstance(known, Over)
    assert known.is_good(until - 1)
    assert not known.is_good(until)


def test_an_old_end_in_the_journal_is_not_remembered(table: Callbacks) -> None:
    token, mark = table._tokens.mint()
    table.remember(past(mark), 5_000.0, seconds_ago=1_200.0)
    assert table.find(token) is None


def test_ends_are_forgotten_after_twenty_minutes(table: Callbacks) -> None:
    tokens = [table._tokens.mint() for _ in range(2)]
    for (_, mark), at in zip(tokens, (0.0, 1_200.0), strict=True):
        table.over(Callback(mark), "task", at)
    assert [table.find(token) is None for token, _ in tokens] == [True, False]
    assert len(table._over) == 1


def test_what_was_given_up_is_forgotten_after_a_day(table: Callbacks) -> None:
    tokens = [table._tokens.mint() for _ in range(2)]
    for (_, mark), at in zip(tokens, (0.0, 86_400.0), strict=True):
        table.remember(past(mark, Kind.LOST), at, seconds_ago=0.0)
        callback = table.of_past(past(mark))
        assert callback is not None
        table.give_up(callback, "it was late", at)
    assert [table.find(token) is None for token, _ in tokens] == [True, False]
