"""The fold over a journal's records."""

import itertools
from typing import Any

import pytest
from hypothesis import given, strategies as st

from nanobanana_async import Kind, Record
from nanobanana_async._journal import Replay

OUTCOMES = (Kind.REFUSED, Kind.ACCEPTED, Kind.LOST)


def replayed(*records: Record) -> Replay:
    replay = Replay()
    for record in records:
        replay.apply(record)
    return replay


def life(attempt: int, *kinds: Kind) -> list[Record]:
    data: dict[Kind, dict[str, Any]] = {
        Kind.SENDING: {"key": f"row {attempt}", "model": "m", "request": {"prompt": "cat"}},
        Kind.ACCEPTED: {"task_id": f"task_{attempt}"},
        Kind.ENDED: {"status": {"state": "success"}},
    }
    return [Record(attempt, kind, 10.0 + n, data.get(kind, {})) for n, kind in enumerate(kinds)]


def test_what_is_known_of_an_attempt_is_its_last_record() -> None:
    past = replayed(*life(1, Kind.SENDING, Kind.ACCEPTED, Kind.ENDED)).attempts[1]
    assert (past.key, past.kind, past.task_id) == ("row 1", Kind.ENDED, "task_1")
    assert (past.sent_at, past.since) == (10.0, 12.0)
    assert past.data == {"status": {"state": "success"}}
    assert past.may_be_paid


@pytest.mark.parametrize(
    ("kinds", "paid"),
    [
        ((Kind.SENDING,), True),
        ((Kind.SENDING, Kind.LOST), True),
        ((Kind.SENDING, Kind.ACCEPTED), True),
        ((Kind.SENDING, Kind.REFUSED), False),
    ],
)
def test_only_a_refusal_is_certainly_not_paid(kinds: tuple[Kind, ...], paid: bool) -> None:
    assert replayed(*life(1, *kinds)).attempts[1].may_be_paid is paid


def test_what_is_acknowledged_gives_its_memory_back() -> None:
    past = replayed(*life(1, Kind.SENDING, Kind.ACCEPTED, Kind.ACKNOWLEDGED, Kind.ENDED))
    attempt = past.attempts[1]
    assert attempt.acknowledged
    assert (attempt.sent, attempt.data) == ({}, {})
    assert (attempt.key, attempt.task_id) == ("row 1", "task_1")


def test_what_cannot_follow_is_refused_and_changes_nothing() -> None:
    allowed = {
        (),
        (Kind.SENDING,),
        *((Kind.SENDING, kind) for kind in OUTCOMES),
        (Kind.SENDING, Kind.ACCEPTED, Kind.ENDED),
        (Kind.SENDING, Kind.LOST, Kind.ACCEPTED),
        (Kind.SENDING, Kind.LOST, Kind.ACCEPTED, Kind.ENDED),
    }
    for length in range(1, 5):
        for kinds in itertools.product([Kind.SENDING, *OUTCOMES, Kind.ENDED], repeat=length):
            replay, records = Replay(), life(1, *kinds)
            if kinds[:-1] not in allowed:
                continue
            for record in records[:-1]:
                replay.apply(record)
            before = str(replay)
            if kinds in allowed:
                replay.apply(records[-1])
            else:
                with pytest.raises(ValueError, match="attempt 1"):
                    replay.apply(records[-1])
                assert str(replay) == before


@given(
    st.lists(st.sampled_from([Kind.REFUSED, Kind.LOST, Kind.ENDED, None]), max_size=6), st.data()
)
def test_attempts_do_not_touch_each_other(ends: list[Kind | None], data: st.DataObject) -> None:
    """However the records of several attempts are interleaved, each ends as it does alone."""
    lives = []
    for number, end in enumerate(ends):
        between = (Kind.ACCEPTED,) if end is Kind.ENDED else ()
        lives.append(life(number, Kind.SENDING, *between, *([end] if end else [])))
    alone = {past.number: past for one in lives for past in replayed(*one).attempts.values()}
    order = data.draw(st.permutations([n for n, one in enumerate(lives) for _ in one]))
    feeds = [iter(one) for one in lives]
    assert replayed(*(next(feeds[n]) for n in order)).attempts == alone
