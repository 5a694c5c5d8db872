"""May a row be sent, and does an outcome say anything new: the tables on which money hangs."""

from itertools import product
from typing import Any

import pytest

from nanobanana_async.bulk import BulkSettings
from nanobanana_async.bulk._manifest import STATES, Entry
from nanobanana_async.bulk._saving import adds_nothing
from nanobanana_async.bulk._steps import Known, anew, may_be_sent, must_be_found

YES_NO = (False, True)


def entry(state: str = "failed", **known: Any) -> Entry:
    fields: dict[str, Any] = {"attempt": 5, "attempts": 1, "retryable": False} | known
    return Entry(state, **fields)


def known(**facts: Any) -> Known:
    nothing: dict[str, Any] = {"entry": None, "busy": False, "in_journal": False, "provable": True}
    return Known(**nothing | facts)


def test_a_row_of_which_nothing_is_known_is_sent() -> None:
    assert may_be_sent(known(), asked=False)
    assert not must_be_found(known())


@pytest.mark.parametrize(
    "facts", [{"in_journal": True}, {"provable": False}, {"in_journal": True, "provable": False}]
)
def test_a_row_without_a_line_that_may_have_been_sent_is_found_first(facts: Any) -> None:
    assert must_be_found(known(**facts))
    assert not may_be_sent(known(**facts), asked=True)


def test_nothing_is_sent_or_named_while_a_row_is_busy() -> None:
    for line, in_journal, provable, asked in product(
        (None, entry(), entry(anew=True)), YES_NO, YES_NO, YES_NO
    ):
        facts = known(entry=line, busy=True, in_journal=in_journal, provable=provable)
        assert not may_be_sent(facts, asked=asked)
        assert not must_be_found(facts)


def test_a_row_with_a_line_is_sent_only_where_it_is_asked_for() -> None:
    for in_journal, provable in product(YES_NO, YES_NO):
        facts = known(entry=entry(), in_journal=in_journal, provable=provable)
        assert may_be_sent(facts, asked=True)
        assert not may_be_sent(facts, asked=False)
        assert not must_be_found(facts)


def test_a_retry_whose_journal_is_lost_is_found_first() -> None:
    lost = known(entry=entry(anew=True), in_journal=True, provable=False)
    assert must_be_found(lost)
    assert not may_be_sent(lost, asked=True)
    kept = known(entry=entry(anew=True), in_journal=True)
    assert may_be_sent(kept, asked=True)


def test_what_each_option_starts_anew() -> None:
    def started(settings: BulkSettings) -> set[str]:
        return {state for state in STATES if anew(entry(state), settings)}

    unknown = {"unknown", "stuck", "not_found", "unreadable"}
    assert started(BulkSettings()) == {"refused"}
    assert started(BulkSettings(retry_failed=True)) == {"refused", "failed"}
    assert started(BulkSettings(retry_unknown=True)) == {"refused", *unknown}
    retryable = entry(retryable=True, attempts=2)
    assert anew(retryable, BulkSettings(attempts=3))
    assert not anew(retryable, BulkSettings(attempts=2))


def test_nothing_replaces_a_picture_and_a_picture_replaces_anything_else() -> None:
    for state, attempt in product(STATES, (4, 5, 6, None)):
        assert adds_nothing(entry("succeeded"), state, attempt)
    for state, attempt in product(set(STATES) - {"succeeded"}, (4, 5, 6, None)):
        assert not adds_nothing(entry(state), "succeeded", attempt)


def test_an_older_attempt_without_a_picture_is_no_news_and_a_newer_one_is() -> None:
    assert adds_nothing(entry("failed"), "unknown", 4)
    assert not adds_nothing(entry("failed"), "unknown", 6)


def test_of_the_same_attempt_only_what_was_not_known_is_news() -> None:
    assert adds_nothing(entry("failed"), "failed", 5)
    assert adds_nothing(entry("failed"), "unknown", 5)
    assert not adds_nothing(entry("unknown"), "failed", 5)
    assert not adds_nothing(entry("stuck"), "not_found", None)


def test_a_line_of_an_earlier_submit_knows_nothing_of_the_newer_one() -> None:
    for state in STATES:
        assert not adds_nothing(entry("unknown", anew=True), state, None)
    assert not adds_nothing(None, "unknown", None)
