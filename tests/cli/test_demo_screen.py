"""What a terminal shows of the demo, at any size and after any change of it."""

import sys
from io import StringIO

import pytest
from attrs import evolve
from rich.console import Console

from nanobanana_async.cli.demo._ink import Ink, ink_for
from nanobanana_async.cli.demo._parts import throughput
from nanobanana_async.cli.demo._picture import picture
from nanobanana_async.cli.demo._screen import ScreenDisplay
from nanobanana_async.cli.demo._slots import Stage

from .terminal import Terminal
from .test_figures import SNAPSHOT

COLOURED = ink_for(coloured=True, ascii_only=False)
UNCOLOURED = ink_for(coloured=False, ascii_only=False)
ASCII = ink_for(coloured=False, ascii_only=True)


def text(width: int, height: int, ink: Ink = UNCOLOURED) -> list[str]:
    lines = picture(SNAPSHOT, width, height, ink)
    return ["".join(segment.text for segment in line) for line in lines]


@pytest.mark.parametrize("ink", [COLOURED, UNCOLOURED, ASCII], ids=["colours", "none", "ASCII"])
@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), (60, 24), (120, 40), (200, 60), (40, 16), (20, 4), (5, 1)]
)
def test_it_fills_a_screen_of_any_size(width: int, height: int, ink: Ink) -> None:
    lines = text(width, height, ink)
    assert len(lines) == height
    assert {len(line) for line in lines} == {width}


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 24), (100, 30)])
def test_all_of_it_is_there_in_a_usual_terminal(width: int, height: int) -> None:
    lines = text(width, height)
    shown = " ".join(" ".join(lines).split())
    for part in (
        "500 of 2,000 pictures",
        "1:05",
        "requests a second 166",
        "limit 167",
        "slots taken 800 of 1,000",
        "submitted 700",
        "ready 100",
        "found 50",
        "free 150",
        "checks a task 1.25",
        "detection lag 0.40 s",
        "longest lag 2.50 s",
        "refused 1",
        "failed 2",
    ):
        assert part in shown
    signs = "".join(lines)
    # Two slots a sign, and one sign in the map's key.
    assert [signs.count(sign) for sign in "▓·"] == [51, 76]


def test_less_room_shows_less() -> None:
    assert "slots taken" not in "".join(text(60, 14))
    assert "checks a task" in "".join(text(60, 14))
    assert "500 of 2,000" in text(60, 2)[0]


def test_ascii_is_ascii() -> None:
    assert all(line.isascii() for line in text(80, 24, ASCII))


def test_two_slots_stand_in_one_place() -> None:
    """What is free is left empty, so that it can be told apart on any ground."""
    both = COLOURED.slots(Stage.READY, Stage.SUBMITTED)
    assert both.text == "▀"
    assert (str(both.style)) == "yellow on blue"
    assert [COLOURED.slots(*pair).text for pair in [(1, 0), (0, 1), (0, 0)]] == ["▀", "▄", "·"]


def test_the_bars_grow_up_to_the_limit_and_beyond() -> None:
    """Half the limit for most of the time, then the limit, then twice that."""
    limit = SNAPSHOT.requests_limit
    counts = [0.0]
    for second in range(1, 61):
        counts.append(counts[-1] + limit * (0.5 if second <= 40 else 1 if second <= 50 else 2))
    readings = tuple((float(second), round(count)) for second, count in enumerate(counts))
    drawn = throughput(evolve(SNAPSHOT, requests=readings), 50, 3, UNCOLOURED)  # a second a column
    top, *rows = ["".join(part.text for part in line) for line in drawn[1:]]
    assert [row[10:].count("█") for row in rows] == [20, 20, 40]
    assert [row[10:].count("▄") for row in rows] == [0, 20, 0]
    assert top == f"limit 167 {'▁' * 30}{'█' * 10}"


def test_after_a_change_of_size_nothing_is_left_of_what_was_there() -> None:
    file = StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24, color_system="standard")
    terminal = Terminal(80, 24)
    with ScreenDisplay(console) as display:
        for width, height in [(80, 24), (60, 24), (60, 30), (100, 20), (80, 24)]:
            display.show(SNAPSHOT)  # drawn for the size before, as the change came meanwhile
            terminal.resize(width, height)
            console.size = (width, height)
            display.show(SNAPSHOT)
            terminal.feed(file.getvalue())
            file.seek(file.truncate(0))
            assert terminal.lines == text(width, height, COLOURED)
    assert file.getvalue() == "\x1b[?25h\x1b[?1049l"


def test_what_is_said_meanwhile_is_said_in_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with ScreenDisplay(Console(file=StringIO(), force_terminal=True)) as display:
        sys.stderr.write("a warning\n")
        display.say("a word")
        assert capsys.readouterr().err == ""
    assert capsys.readouterr().err == "a warning\na word\n"
