"""The server's clock: what it stamps, and that it is not what things go by."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, strategies as st

from nanobanana_async.emulator import Answer
from nanobanana_async.emulator._clock import ServerClock
from nanobanana_async.emulator._wire import Outcome

from .driver import EPOCH, EXACTLY_10_S, Account, steady

CREATED = int(EPOCH * 1000)


def date(outcome: Outcome) -> float:
    assert isinstance(outcome, Answer)
    return parsedate_to_datetime(outcome.headers["date"]).timestamp() - EPOCH


@pytest.mark.parametrize("offset", [0.0, 90.5, -3_600.0])
def test_a_wrong_clock_shifts_stamps_and_dates_and_nothing_else(offset: float) -> None:
    account = Account(clock_offset=offset, service=EXACTLY_10_S)
    task_id = account.accepted(1)
    assert account.status(10.9, task_id)["state"] == "processing"
    data = account.status(11, task_id)
    shift = int(offset * 1000)
    assert data["createTime"] == CREATED + 1_000 + shift
    assert data["completeTime"] == CREATED + 11_000 + shift
    assert data["costTime"] == 10_000
    assert date(account.balance(20)) == (20 + offset) // 1


@pytest.mark.parametrize(("offset", "apparent"), [(3_600.0, 3_610_000), (-3_600.0, -3_590_000)])
def test_a_clock_that_is_set_in_the_life_of_a_task(offset: float, apparent: int) -> None:
    account = Account(clock_jumps=[(5.0, offset)], service=EXACTLY_10_S)
    over, later = account.accepted(0), account.accepted(5)
    data = account.status(20, over)
    assert data["createTime"] == CREATED
    assert data["completeTime"] - data["createTime"] == apparent
    assert data["costTime"] == 10_000
    data = account.status(20, later)
    assert data["createTime"] == CREATED + 5_000 + int(offset * 1000)
    assert data["completeTime"] - data["createTime"] == data["costTime"] == 10_000


def test_each_jump_holds_until_the_next() -> None:
    account = Account(clock_offset=7.0, clock_jumps=[(10.0, 100.0), (20.0, -5.0)])
    dates = [date(account.balance(now)) for now in (0, 9.9, 10, 19.9, 20, 1_000)]
    assert dates == [7, 16, 110, 119, 15, 995]


def test_a_clock_is_set_in_the_middle_of_a_second() -> None:
    account = Account(clock_jumps=[(0.5, 100.0)])
    assert [date(account.balance(now)) for now in (0.25, 0.375, 0.5, 0.75)] == [0, 0, 100, 100]


def test_an_answer_is_dated_when_it_leaves() -> None:
    account = Account(latency=0.5, faults={"submit_slow": 1.0}, slow_seconds=3.0)
    assert date(account.submit(0.6)) == 4
    assert date(account.balance(0.6)) == 1
    assert date(account.balance(0.4)) == 0


def test_a_date_has_the_form_of_rfc_9110() -> None:
    outcome = Account().balance(0)
    assert isinstance(outcome, Answer)
    assert outcome.headers["date"] == "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize("path", ["/", "/api/v1/statusTask/x", "/pictures/task_1/1.png"])
def test_refusals_are_dated_too(path: str) -> None:
    account = Account(requests_per_minute=1)
    for _ in range(2):
        assert date(account.send(61, "GET", path, headers={})) == 61


eighths = st.integers(0, 8 * 30).map(lambda count: count / 8)


@steady
@given(
    st.lists(eighths, max_size=30),
    st.dictionaries(eighths, st.integers(-80, 80).map(lambda n: n / 8), max_size=4),
    st.integers(-80, 80).map(lambda n: n / 8),
)
def test_the_date_is_right_whatever_was_asked_before(
    times: list[float], jumps: dict[float, float], offset: float
) -> None:
    clock = ServerClock(EPOCH, offset, sorted(jumps.items()))
    for now in times:
        current = [offset, *(jumps[at] for at in sorted(jumps) if at <= now)][-1]
        unix = (EPOCH + now + current) // 1
        expected = datetime.fromtimestamp(unix, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        assert clock.date(now) == expected
