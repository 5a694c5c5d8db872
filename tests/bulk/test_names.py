"""File names: whatever a key holds, its file is in the folder and is its alone."""

import re
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis.strategies import SearchStrategy, integers, one_of, sampled_from, text, tuples

from nanobanana_async.bulk._names import file_stem, picture_name

steady = settings(deadline=None, derandomize=True, max_examples=200)

RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$)(\..*)?")
HEX = "0123456789abcdef"

# What people write, what goes wrong, and what looks like a name that was made.
KEYS: SearchStrategy[str] = one_of(
    text(),
    text("aA-._/\\ ", max_size=4),
    tuples(text("ab_", max_size=2), text(HEX, min_size=16, max_size=16)).map("-".join),
    sampled_from(["con", "NUL", "com1", "lpt9.txt", "..", ".", "", "a.2", "-rf", "x" * 300]),
).filter(bool)


@steady
@given(KEYS)
@example("\0")
@example("😀")
def test_a_name_is_one_plain_file_in_the_folder(key: str) -> None:
    name = picture_name(key, 1, "png")
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        assert path.parts == ("images", path.name)
    assert re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,99}", file_stem(key))
    assert not RESERVED.fullmatch(file_stem(key))


@steady
@given(KEYS, KEYS, integers(1, 3), integers(1, 3))
@example("a", "A", 1, 1)
@example("é", "e\u0301", 1, 1)
@example("a", "a.2", 2, 1)
@example("a b", "a_b", 1, 1)
def test_no_two_pictures_share_a_name(one: str, other: str, first: int, second: int) -> None:
    same = picture_name(one, first, "png") == picture_name(other, second, "png")
    assert same == ((one, first) == (other, second))


@steady
@given(KEYS)
def test_the_name_of_a_key_is_no_other_keys_name(key: str) -> None:
    """Not even where somebody takes the name that was made for one key as the key of another."""
    made = file_stem(key)
    assert made == key or file_stem(made) != made


@pytest.mark.parametrize("key", ["17", "cat-1", "a_b", "x" * 100])
def test_plain_keys_are_names_as_they_are(key: str) -> None:
    assert picture_name(key, 1, "png") == f"images/{key}.png"
    assert picture_name(key, 2, "jpg") == f"images/{key}.2.jpg"


def test_a_changed_name_can_still_be_read() -> None:
    assert re.fullmatch(r"etc_passwd-[0-9a-f]{16}", file_stem("../../etc/Passwd"))
