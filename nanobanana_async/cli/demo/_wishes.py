"""Pleasant things to draw, as many as are asked for, no two alike. Lazy, and fixed by a seed."""

from collections.abc import Iterator
from itertools import count, islice, product
from random import Random
from typing import Final

from nanobanana_async import ImageRequest

_SUBJECTS: Final = (
    "a lighthouse",
    "a sleeping fox",
    "a tea house",
    "a paper boat",
    "a hot-air balloon",
    "an old bicycle",
    "a curious owl",
    "a small bakery",
    "a sailing ship",
    "a garden gate",
    "a red tram",
    "a hedgehog with a lantern",
    "a treehouse",
    "a field of poppies",
    "a stone bridge",
    "a family of ducks",
    "a bookshop cat",
    "a windmill",
    "a jar of fireflies",
    "a mountain hut",
)
_SCENES: Final = (
    "in the first snow",
    "at sunrise",
    "after the rain",
    "under the northern lights",
    "in a sea of fog",
    "on a summer evening",
    "by a quiet lake",
    "in autumn leaves",
    "beneath a full moon",
    "among cherry blossoms",
    "on a windy hill",
    "at the edge of a forest",
)
_STYLES: Final = (
    "watercolour",
    "linocut",
    "soft pastel",
    "paper collage",
    "oil painting",
    "pixel art",
    "ink drawing",
    "vintage poster",
)
_RATIOS: Final = ("1:1", "3:2", "2:3", "4:3", "3:4", "4:5", "5:4", "16:9", "9:16", "21:9")
_RESOLUTIONS: Final = ("1K", "2K", "4K")


def wishes(number: int, seed: int) -> Iterator[ImageRequest]:
    """Yield that many requests, each with a `key` that is fit for a file's name."""
    random = Random(seed)
    width = len(str(number))
    for index, prompt in enumerate(islice(_prompts(random), number), 1):
        yield ImageRequest(
            prompt,
            aspect_ratio=random.choice(_RATIOS),
            resolution=_RESOLUTIONS[index % len(_RESOLUTIONS)],
            key=f"{index:0{width}}-{_slug(prompt)}",
        )


def _prompts(random: Random) -> Iterator[str]:
    """Go through all combinations in a shuffled order, and begin again with a number behind."""
    prompts = [f"{' '.join(words)}, {style}" for *words, style in _combinations()]
    for round_number in count(1):
        random.shuffle(prompts)
        suffix = "" if round_number == 1 else f", no. {round_number}"
        yield from (f"{prompt}{suffix}" for prompt in prompts)


def _combinations() -> Iterator[tuple[str, ...]]:
    return product(_SUBJECTS, _SCENES, _STYLES)


def _slug(prompt: str) -> str:
    scene = prompt.partition(",")[0]
    return scene.replace(" ", "-")
