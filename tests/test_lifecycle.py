"""The life of a generation: what its table promises, for every state and every event."""

from itertools import product

import pytest
from hypothesis import given, settings, strategies as st

from nanobanana_async._lifecycle import TERMINAL, TRANSITIONS, Event, State, advance

steady = settings(deadline=None, derandomize=True)

ENDS = {
    Event.SUCCEEDED: State.SUCCEEDED,
    Event.FAILED: State.FAILED,
    Event.MISSING: State.MISSING,
}
TABLE = {
    (state, event): after
    for state, events in TRANSITIONS.items()
    for event, after in events.items()
}


def reached(start: State) -> set[State]:
    found, new = {start}, {start}
    while new:
        new = {after for (state, _), after in TABLE.items() if state in new} - found
        found |= new
    return found


def test_every_state_is_reached_from_the_queue() -> None:
    assert reached(State.QUEUED) == set(State)


def test_every_event_has_a_place() -> None:
    assert {event for _, event in TABLE} == set(Event)


@pytest.mark.parametrize(
    "way",
    [
        [Event.SENT, Event.ACCEPTED, Event.SUCCEEDED],
        [Event.SENT, Event.RETURNED, Event.SENT, Event.ACCEPTED, Event.FAILED],
        [Event.SENT, Event.RETURNED, Event.WITHDRAWN],
        [Event.SENT, Event.ACCEPTED, Event.OVERDUE, Event.SUCCEEDED],
        [Event.SENT, Event.ACCEPTED, Event.OVERDUE, Event.MISSING],
        [Event.SENT, Event.LOST, Event.RESUBMITTED, Event.SENT, Event.REFUSED],
        [Event.SENT, Event.LOST, Event.FOUND, Event.SUCCEEDED],
        [Event.WITHDRAWN],
    ],
    ids=lambda way: " ".join(event.name for event in way),
)
def test_a_life_goes_its_way(way: list[Event]) -> None:
    state = State.QUEUED
    for event in way:
        state = advance(state, event)
    assert state.name == way[-1].name


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_an_event_without_a_place_raises_and_any_other_leads_where_the_table_says(
    state: State, event: Event
) -> None:
    if (state, event) in TABLE:
        assert advance(state, event) is TABLE[state, event]
    elif state in TERMINAL and event in ENDS:
        assert advance(state, event) is state
    else:
        with pytest.raises(ValueError, match=event.name) as raised:
            advance(state, event)
        assert state.value in str(raised.value)


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
@pytest.mark.parametrize("state", [State.RUNNING, State.STUCK])
def test_the_first_end_wins(state: State, first: Event, second: Event) -> None:
    ended = advance(state, first)
    assert ended is ENDS[first]
    assert advance(ended, second) is ended


def test_an_end_of_an_accepted_task_is_for_good() -> None:
    assert set(ENDS.values()) == TERMINAL
    assert all(reached(state) == {state} for state in TERMINAL)


def ways_into(state: State) -> set[tuple[State, Event]]:
    return {way for way, after in TABLE.items() if after is state}


def test_a_submit_goes_out_of_the_queue_and_nowhere_else() -> None:
    assert ways_into(State.SENDING) == {(State.QUEUED, Event.SENT)}


def test_what_may_have_been_paid_for_is_sent_again_only_where_that_is_acceptable() -> None:
    ways_back = {(State.SENDING, Event.RETURNED), (State.UNKNOWN, Event.RESUBMITTED)}
    assert ways_into(State.QUEUED) == ways_back


def test_a_generation_is_withdrawn_only_before_it_is_sent() -> None:
    assert [state for state, event in TABLE if event is Event.WITHDRAWN] == [State.QUEUED]


@steady
@given(st.lists(st.sampled_from(Event), max_size=30))
def test_whatever_is_reported_an_end_stays_and_an_illegal_event_changes_nothing(
    events: list[Event],
) -> None:
    state, end = State.QUEUED, None
    for event in events:
        try:
            after = advance(state, event)
        except ValueError:
            after = state
        assert end is None or after is end
        assert after is state or TABLE[state, event] is after
        state = after
        end = state if state in TERMINAL else end
