"""What the demo asks for."""

from itertools import islice

from nanobanana_async import MODELS
from nanobanana_async.cli.demo._wishes import wishes

SPEC = MODELS["nano-banana-2"]


def test_no_two_are_alike_however_many() -> None:
    made = list(wishes(5_000, seed=0))
    assert len({wish.prompt for wish in made}) == len({wish.key for wish in made}) == 5_000
    assert not any("forbidden" in wish.prompt for wish in made)


def test_they_are_varied_and_keep_to_the_rules() -> None:
    made = list(wishes(300, seed=0))
    assert {wish.resolution for wish in made} == set(SPEC.resolutions)
    ratios = {wish.aspect_ratio for wish in made}
    assert len(ratios) == 10
    assert ratios <= set(SPEC.aspect_ratios)


def test_a_seed_fixes_them() -> None:
    assert list(wishes(50, seed=1)) == list(wishes(50, seed=1))
    assert list(wishes(50, seed=1)) != list(wishes(50, seed=2))


def test_they_are_made_as_they_are_read() -> None:
    assert len(list(islice(wishes(10**12, seed=0), 3))) == 3


def test_keys_are_names_of_files_in_order() -> None:
    keys = [str(wish.key) for wish in wishes(12, seed=0)]
    assert keys == sorted(keys)
    assert all(key.replace("-", "").isalnum() and key.isascii() for key in keys)
