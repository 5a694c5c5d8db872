"""The rules of each model, as data: a further model is one more entry here.

Source: the vendor's model pages, `nano-banana-2` and `nano-banana`. Where two pages differ (4:1 is
in the newer one only), the wider rule is taken: the API has the last word.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

__all__ = ["DEFAULT_MODEL", "MODELS", "ModelSpec"]

_RATIOS = (
    "auto",
    "1:1",
    "1:4",
    "4:1",
    "1:8",
    "8:1",
    "3:2",
    "2:3",
    "3:4",
    "4:3",
    "4:5",
    "5:4",
    "9:16",
    "16:9",
    "21:9",
)


@frozen(kw_only=True)
class ModelSpec:
    """What one model takes. The first entry of each tuple is its default."""

    name: str
    """The model's name in the URL."""
    prompt_limit: int
    """Most characters of a prompt."""
    reference_limit: int
    """Most reference images of an image-to-image request."""
    aspect_ratios: tuple[str, ...] = _RATIOS
    """Ratios of width to height; ``auto`` leaves it to the model."""
    resolutions: tuple[str, ...] = ()
    """Sizes of the picture; empty where the model has no such setting."""
    output_formats: tuple[str, ...] = ("png", "jpeg")
    """File formats."""
    providers: tuple[str, ...] = ("auto", "value", "official")
    """Routing strategies."""


DEFAULT_MODEL = "nano-banana-2"

MODELS: Mapping[str, ModelSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            ModelSpec(
                name=DEFAULT_MODEL,
                prompt_limit=20_000,
                reference_limit=14,
                resolutions=("1K", "2K", "4K"),
            ),
            ModelSpec(name="nano-banana", prompt_limit=5_000, reference_limit=5),
        )
    }
)
"""The known models by name."""
