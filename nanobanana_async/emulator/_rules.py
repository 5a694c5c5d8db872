"""The rules of a submit, as data: one entry a model."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen


@frozen
class ModelRules:
    """What one model takes."""

    longest_prompt: int
    """Characters."""
    most_images: int
    resolutions: frozenset[str]
    """Empty: the model has no such field."""


MODELS: Final[Mapping[str, ModelRules]] = {
    "nano-banana-2": ModelRules(20_000, 14, frozenset({"1K", "2K", "4K"})),
    "nano-banana": ModelRules(5_000, 5, frozenset()),
}

REQUEST_TYPES: Final = frozenset({"async", "callback"})
PROVIDERS: Final = frozenset({"auto", "value", "official"})
MODES: Final = frozenset({"text-to-image", "image-to-image"})
FORMATS: Final = frozenset({"png", "jpeg", "jpg"})
ASPECT_RATIOS: Final = frozenset(
    {"auto", "1:1", "1:4", "4:1", "1:8", "8:1", "3:2", "2:3"}
    | {"3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"}
)

BODY_FIELDS: Final = frozenset({"request_type", "callback_url", "provider", "input"})
INPUT_FIELDS: Final = frozenset(
    {"mode", "prompt", "aspect_ratio", "resolution", "image_urls"}
    | {"output_format", "google_search"}
)
