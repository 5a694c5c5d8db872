"""What may stand in `@pytest.mark.nanobanana(...)`."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from nanobanana_async.emulator import Episode, FailFast, LogNormal
from nanobanana_async.testing._marks import MarkError, settings_from


def test_without_a_mark_it_is_a_hundred_times_as_fast() -> None:
    assert settings_from([]) == {"speed": 100.0}


def test_the_nearest_mark_holds_keyword_by_keyword() -> None:
    near = pytest.mark.nanobanana(speed=10, service=FailFast()).mark
    far = pytest.mark.nanobanana(speed=1, faults={"submit_lost": 0.5}).mark
    assert settings_from([near, far]) == {
        "speed": 10,
        "service": FailFast(),
        "faults": {"submit_lost": 0.5},
    }


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"fault": {}}, "no keyword 'fault'; did you mean 'faults'?"),
        ({"port": 8787}, "no keyword 'port'; there are api_key, seed, speed, "),
        ({"speed": -1}, "speed must be a number above 0, not -1"),
        ({"speed": "fast"}, "speed must be a number above 0, not 'fast'"),
        ({"faults": {"submit_lots": 1}}, "Near it: submit_lost"),
        ({"faults": ["submit_lost"]}, "faults must be probabilities by name, such as {"),
        (
            {"episodes": Episode("any_502", 0, 1)},
            "episodes must be a list of Episodes, not Episode(",
        ),
        ({"service": 15}, "service must be a model, such as LogNormal(15), not 15"),
        ({"service": LogNormal}, "service must be a model, such as LogNormal(15), not <class"),
    ],
)
def test_what_makes_no_sense_is_named_in_one_line(keywords: Mapping[str, Any], says: str) -> None:
    with pytest.raises(MarkError, match=re.escape(says)) as error:
        settings_from([pytest.mark.nanobanana(**keywords).mark])
    assert str(error.value).startswith("@pytest.mark.nanobanana")
    assert "\n" not in str(error.value)


def test_it_takes_keywords_only() -> None:
    with pytest.raises(MarkError, match="takes keywords only"):
        settings_from([pytest.mark.nanobanana({"submit_lost": 1}).mark])
