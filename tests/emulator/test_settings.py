import re
from collections.abc import Sequence
from math import inf
from typing import Any, get_type_hints

import attrs
import pytest

from nanobanana_async.emulator import (
    ByResolution,
    Episode,
    FailFast,
    LimitChange,
    LogNormal,
    Mixture,
    Settings,
    Stuck,
)
from nanobanana_async.emulator._settings import SettingsKeywords


def test_the_keywords_are_the_fields() -> None:
    fields = {field.name: field.type for field in attrs.fields(attrs.resolve_types(Settings))}
    assert get_type_hints(SettingsKeywords) == fields


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": ""},
        {"speed": 0.0},
        {"requests_per_minute": 0},
        {"concurrent_tasks": 0},
        {"window": "hourly"},
        {"balance": -1.0},
        {"price": -0.1},
        {"pictures": 0},
        {"result_lifetime": 0.0},
        {"latency": -1.0},
        {"slow_seconds": 0.0},
        {"freed_late": -1.0},
        {"forget_after": 0.0},
        {"episodes": ["any_502"]},
        {"limit_changes": [(0, 60)]},
        {"seed": "1"},
        {"speed": "fast"},
        {"speed": float("nan")},
        {"speed": inf},
        {"speed": 10**400},
        {"latency": inf},
        {"requests_per_minute": True},
        {"concurrent_tasks": 2.5},
        {"pictures": 3.5},
        {"count_refused": 1},
        {"keep_ledger": "no"},
        {"window_offset": None},
        {"clock_offset": "5"},
        {"service": 15},
        {"service": LogNormal},
        {"faults": ["submit_lost"]},
        {"faults": {1: 0.5}},
        {"extra_fields": "seed"},
        {"extra_fields": [1]},
        {"extra_fields": 5},
        {"episodes": Episode("any_502", 0, 1)},
        {"episodes": ""},
        {"clock_jumps": [5.0]},
        {"clock_jumps": [("5", 1.0)]},
        {"clock_jumps": 5},
        {"clock_jumps": [(-1.0, 5.0)]},
        {"clock_jumps": [(5.0, 1.0), (5.0, 2.0)]},
        {"clock_jumps": [(9.0, 1.0), (5.0, 2.0)]},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Settings)])
def test_each_field_says_what_it_must_be(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be [^\n]+, not Ellipsis$"):
        Settings(**{name: ...})  # type: ignore[arg-type]


def test_names_of_fields_may_be_any_collection() -> None:
    for names in (["seed", "style"], ("style", "seed"), {"seed": 1, "style": 2}.keys()):
        assert Settings(extra_fields=names).extra_fields == {"seed", "style"}


@pytest.mark.parametrize(
    ("kind", "arguments", "says"),
    [
        (Episode, ("any_502", 0, "5"), "length must be seconds above 0"),
        (Episode, ("any_502", inf, 5), "start must be a number of 0 or more, not inf"),
        (Episode, ("any_502", 0, 5, True), "probability must be a number from 0 to 1"),
        (Episode, ("any_502", 0, 5, 1.0, "9"), "every must be a number above 0"),
        (Episode, (["any_502"], 0, 5), "fault must be a text, not"),
        (LimitChange, (0, 60, 2.5), "requests_per_minute must be a whole number of 0"),
        (LimitChange, ("0", 60, 2), "start must be a number"),
        (LogNormal, ["15"], "median must be a number above 0, not '15'"),
        (LogNormal, (15, inf), "sigma must be a number of 0 or more, not inf"),
        (Stuck, [None], "seconds must be seconds above 0; math.inf is for ever, not None"),
        (FailFast, (1, 500), "code must be a text, not 500"),
        (Mixture, (1, [Stuck()]), "weights must be a list of numbers"),
        (Mixture, (["1"], [Stuck()]), "weights must be a list of numbers"),
        (Mixture, ([1], [Stuck]), "models must be a list of models"),
        (ByResolution, [Stuck()], "models must be models by name"),
        (ByResolution, [{"1K": 15, "2K": 24, "4K": 40}], "models must be models by name"),
    ],
)
def test_what_goes_into_settings_is_as_strict(
    kind: Any, arguments: Sequence[object], says: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        kind(*arguments)


def test_what_may_be_for_ever() -> None:
    assert Stuck(inf).seconds == inf
    assert Settings(result_lifetime=inf).result_lifetime == inf
