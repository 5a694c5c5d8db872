from typing import Any, get_type_hints

import attrs
import pytest

from nanobanana_async.emulator import Settings
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
        {"clock_jumps": [(-1.0, 5.0)]},
        {"clock_jumps": [(5.0, 1.0), (5.0, 2.0)]},
        {"clock_jumps": [(9.0, 1.0), (5.0, 2.0)]},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        Settings(**wrong)
