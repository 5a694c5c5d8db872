"""The life of a generation, as one table.

A call waits in the queue until the dispatcher sends its submit. Four things can come of that. The
API accepts it: the task runs, holds a slot, and is looked at until it is seen finished. The API
refuses it for good: nothing was paid. It was certainly not accepted but may be later (no
connection, 429, 503 in the API's envelope): it goes back to the queue. Or the answer is lost, and
nobody knows whether it was accepted: it is never sent again, unless its caller said that paying
twice is acceptable. A webhook's delivery may find it again, even while it is in line to be sent
once more.

Whatever is learned of a task, by a look or a delivery, comes in as an event. Three rules hold:

1. An event that the table does not have for a state raises, and changes nothing.
2. The first terminal event wins. One that arrives after it is no event.
3. A caller who leaves is no event: the task runs on whether anybody waits or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

__all__ = ["TERMINAL", "TRANSITIONS", "Event", "State", "advance"]


class State(Enum):
    """Where a generation stands."""

    QUEUED = "queued"
    SENDING = "sending"
    RUNNING = "running"
    STUCK = "stuck"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    MISSING = "missing"


class Event(Enum):
    """What can happen to it."""

    SENT = "submit sent"
    RETURNED = "not accepted now"
    WITHDRAWN = "caller left"
    REFUSED = "refused for good"
    ACCEPTED = "accepted"
    LOST = "answer lost"
    FOUND = "delivery came"
    RESUBMITTED = "paying twice is acceptable"
    OVERDUE = "older than stuck_after"
    SUCCEEDED = "success seen"
    FAILED = "failure seen"
    MISSING = "not found for long"


_ENDS = {
    Event.SUCCEEDED: State.SUCCEEDED,
    Event.FAILED: State.FAILED,
    Event.MISSING: State.MISSING,
}

TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.QUEUED: {
        Event.SENT: State.SENDING,
        Event.FOUND: State.RUNNING,
        Event.WITHDRAWN: State.WITHDRAWN,
    },
    State.SENDING: {
        Event.RETURNED: State.QUEUED,
        Event.REFUSED: State.REFUSED,
        Event.ACCEPTED: State.RUNNING,
        Event.LOST: State.UNKNOWN,
    },
    State.UNKNOWN: {
        Event.FOUND: State.RUNNING,
        Event.RESUBMITTED: State.QUEUED,
    },
    State.RUNNING: {Event.OVERDUE: State.STUCK, **_ENDS},
    State.STUCK: _ENDS,
}

TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.MISSING})
"""The ends of an accepted task; any end reported after one of them is no event."""


def advance(state: State, event: Event) -> State:
    """Return the state after `event`.

    Raises:
        ValueError: the event cannot happen in this state.
    """
    if state in TERMINAL and event in _ENDS:
        return state
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise ValueError(f"{event.name} cannot happen to a {state.value} generation") from None
