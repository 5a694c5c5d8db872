"""The diagram of a task's life: all that is in the table, and nothing else."""

import re
import xml.etree.ElementTree as ET
from collections import Counter

import diagrams
import pytest

from nanobanana_async._lifecycle import TERMINAL, TRANSITIONS, Event, State

SVG = "{http://www.w3.org/2000/svg}"


def test_every_state_is_there_once_and_every_way_says_what_leads_along_it() -> None:
    drawn = ET.fromstring(diagrams.life())  # noqa: S314 - our own
    words = Counter(text.text for text in drawn.iter(f"{SVG}text"))
    ways = Counter(
        event.value
        for state, events in TRANSITIONS.items()
        for event, after in events.items()
        # The ends that running and stuck tasks share are drawn once for both.
        if after not in TERMINAL or state is State.STUCK
    )
    assert words == Counter(state.value for state in State) + ways
    assert TRANSITIONS[State.STUCK].items() <= TRANSITIONS[State.RUNNING].items()


def test_a_ring_is_round_each_state_in_which_a_life_can_end() -> None:
    ringed = set(re.findall(r'fill="none"[^>]*/><rect[^>]*/><text[^>]*>(\w+)<', diagrams.life()))
    without_a_way_on = {state.value for state in State if state not in TRANSITIONS}
    assert ringed == without_a_way_on | {"unknown"}


def test_a_row_that_nobody_has_drawn_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = {**TRANSITIONS, State.UNKNOWN: {Event.WITHDRAWN: State.WITHDRAWN}}
    monkeypatch.setattr(diagrams, "TRANSITIONS", grown)
    with pytest.raises(ValueError, match="say where"):
        diagrams.life()
