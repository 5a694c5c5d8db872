"""From `@pytest.mark.nanobanana(...)` to an emulator's settings."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final, cast

import pytest
from attrs import fields_dict

from nanobanana_async.emulator import Settings
from nanobanana_async.emulator._settings import SettingsKeywords

# A test of pictures that take 15 s waits .15 s. Not faster, so that the states on the way there
# can be seen, and a task that hangs for 10 min is one that hangs.
SPEED: Final = 100.0

_MARK: Final = "@pytest.mark.nanobanana"


class MarkError(ValueError):
    """A mark that says nothing that an emulator understands."""


def settings_from(marks: Iterable[pytest.Mark]) -> SettingsKeywords:
    """Merge the marks of a test, the nearest first, keyword by keyword: the nearest holds.

    Raises:
        MarkError: a keyword or a value that cannot be.
    """
    settings: dict[str, Any] = {}
    for mark in marks:
        settings = _keywords(mark) | settings
    settings = {"speed": SPEED} | settings
    _check_values(settings)
    return cast(SettingsKeywords, settings)


def _keywords(mark: pytest.Mark) -> dict[str, Any]:
    if mark.args:
        raise MarkError(f'{_MARK} takes keywords only, such as faults={{"submit_lost": 0.2}}')
    known = fields_dict(Settings)
    for name in mark.kwargs:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise MarkError(f"{_MARK} has no keyword {name!r}; {hint}")
    return dict(mark.kwargs)


def _check_values(settings: dict[str, Any]) -> None:
    try:
        Settings(**settings)
    except ValueError as error:
        raise MarkError(f"{_MARK}: {error}") from None
