"""Draws the diagrams of the explanations: `python docs/pictures/diagrams.py`.

Where the boxes stand is said here; what leads where, and why, comes from the library's own table.
Nothing has a ground of its own, and the colours read on light and dark.
"""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Final

from nanobanana_async._lifecycle import TERMINAL, TRANSITIONS, Event, State

__all__ = ["DIAGRAMS", "life", "limits"]

Point = tuple[float, float]

_HALF: Final = 46, 17
_LINE: Final = "#808890"
_PLAIN: Final = "#5d6875"
_COLOURS: Final = {
    State.RUNNING: "#2b6cb0",
    State.STUCK: "#2b6cb0",
    State.UNKNOWN: "#b4531a",
    State.SUCCEEDED: "#2d7d4c",
    State.FAILED: "#a83232",
    State.MISSING: "#a83232",
}
_PLACES: Final[Mapping[State, Point]] = {
    State.WITHDRAWN: (66, 60),
    State.QUEUED: (270, 60),
    State.REFUSED: (66, 170),
    State.SENDING: (270, 170),
    State.RUNNING: (470, 170),
    State.UNKNOWN: (270, 280),
    State.STUCK: (470, 330),
    State.SUCCEEDED: (66, 470),
    State.FAILED: (240, 470),
    State.MISSING: (400, 470),
}
# By state and event: the way of the arrow, and where its words begin. The ends of an accepted task
# are drawn once for both states that lead to them.
_WAYS: Final[Mapping[tuple[State, Event], tuple[tuple[Point, ...], Point]]] = {
    (State.QUEUED, Event.SENT): (((256, 77), (256, 153)), (174, 119)),
    (State.QUEUED, Event.FOUND): (((316, 60), (470, 60), (470, 153)), (326, 52)),
    (State.QUEUED, Event.WITHDRAWN): (((224, 60), (112, 60)), (122, 52)),
    (State.SENDING, Event.RETURNED): (((284, 153), (284, 77)), (292, 119)),
    (State.SENDING, Event.REFUSED): (((224, 170), (112, 170)), (116, 162)),
    (State.SENDING, Event.ACCEPTED): (((316, 170), (424, 170)), (326, 162)),
    (State.SENDING, Event.LOST): (((270, 187), (270, 263)), (278, 229)),
    (State.UNKNOWN, Event.FOUND): (((316, 280), (452, 280), (452, 187)), (326, 272)),
    (State.UNKNOWN, Event.RESUBMITTED): (
        ((224, 280), (8, 280), (8, 24), (256, 24), (256, 43)),
        (18, 272),
    ),
    (State.RUNNING, Event.OVERDUE): (((470, 187), (470, 313)), (318, 306)),
}
_BUS: Final = 534, 390


def _svg(width: int, height: int, name: str, says: str, parts: Iterable[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-labelledby="name says" '
        'font-family="system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif" '
        'font-size="13">'
    )
    arrow = (
        '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="{_LINE}"/></marker>'
    )
    words = f'<title id="name">{escape(name)}</title><desc id="says">{escape(says)}</desc>'
    return "\n".join((head, words, f"<defs>{arrow}</defs>", *parts, "</svg>\n"))


def _way(*points: Point, arrow: bool = True) -> str:
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    end = ' marker-end="url(#arrow)"' if arrow else ""
    return f'<path d="{path}" fill="none" stroke="{_LINE}" stroke-width="1.4"{end}/>'


def _words(text: str, at: Point, anchor: str = "start", colour: str = _LINE) -> str:
    x, y = at
    return f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'


def _box(
    text: str,
    at: Point,
    colour: str = _PLAIN,
    *,
    half: tuple[float, float] = _HALF,
    ringed: bool = False,
) -> str:
    (x, y), (wide, high) = at, half
    ring = ""
    if ringed:
        ring = (
            f'<rect x="{x - wide}" y="{y - high}" width="{2 * wide}" height="{2 * high}" rx="9" '
            f'fill="none" stroke="{colour}" stroke-width="1.4"/>'
        )
        wide, high = wide - 3, high - 3
    body = (
        f'<rect x="{x - wide}" y="{y - high}" width="{2 * wide}" height="{2 * high}" rx="7" '
        f'fill="{colour}"/>'
    )
    return ring + body + _words(text, (x, y + 4.5), "middle", "#fff")


def _ends() -> Iterable[str]:
    """One line that running and stuck tasks share, and an arrow from it to each end."""
    right, level = _BUS
    for state in (State.RUNNING, State.STUCK):
        x, y = _PLACES[state]
        yield _way((x + _HALF[0], y), (right, y), (right, level), arrow=False)
    for event, state in TRANSITIONS[State.STUCK].items():
        x, y = _PLACES[state]
        yield _way((right, level), (x, level), (x, y - _HALF[1]))
        yield _words(event.value, (x + 8, level + 36))


def life() -> str:
    """The life of a task, from `_lifecycle.TRANSITIONS`."""
    arrows = [(state, event) for state, events in TRANSITIONS.items() for event in events]
    alone = [(state, event) for state, event in arrows if TRANSITIONS[state][event] not in TERMINAL]
    if set(alone) != set(_WAYS) or set(_PLACES) != set(State):
        raise ValueError("The table has changed: say where its states and arrows are to be drawn")
    parts = ['<circle cx="284" cy="12" r="5" fill="#808890"/>', _way((284, 12), (284, 43))]
    for state, event in alone:
        way, words = _WAYS[state, event]
        parts += [_way(*way), _words(event.value, words)]
    parts += _ends()
    for state, place in _PLACES.items():
        ringed = state not in TRANSITIONS or state is State.UNKNOWN
        parts.append(_box(state.value, place, _COLOURS.get(state, _PLAIN), ringed=ringed))
    says = "; ".join(
        f"{state.value}, {event.value}: {TRANSITIONS[state][event].value}"
        for state, event in arrows
    )
    return _svg(544, 496, "The life of a task", says, parts)


def limits() -> str:
    """What the dispatcher waits for before it sends."""
    half = 86, 17
    left, middle, right = 94, 322, 486
    inputs = {
        30: "queue of two classes",
        84: "tasks in flight",
        138: "1,000 slots",
        192: "token bucket, 8 deep",
        246: "window: 10,000 places",
    }
    centre = 138
    parts = [
        _way((left + 86, y), (220, y), (220, centre), (middle - 52, centre), arrow=y == centre)
        for y in inputs
    ]
    parts += [_box(text, (left, y), half=half) for y, text in inputs.items()]
    parts += [
        _way((middle + 52, centre - 8), (right - 42, centre - 8)),
        _way((middle + 52, centre + 8), (right - 42, centre + 8)),
        _words("submit, if a slot is free", (middle + 4, centre - 34)),
        _words("look, else", (middle + 55, centre + 28)),
        _box("dispatcher", (middle, centre), "#2b6cb0", half=(52, 24)),
        _box("the API", (right, centre), "#2d7d4c", half=(42, 24)),
    ]
    says = "The dispatcher sends a submit if a slot is free, else a look; each needs a token and a place."
    return _svg(544, 276, "What is sent next", says, parts)


DIAGRAMS: Final = {"life-of-a-task.svg": life, "what-is-sent.svg": limits}


if __name__ == "__main__":
    for name, draw in DIAGRAMS.items():
        Path(__file__).with_name(name).write_text(draw())
