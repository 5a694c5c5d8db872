"""What pictures cost, as the user says: the API does not tell."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, Self

from attrs import field, frozen

from nanobanana_async._models import ImageRequest
from nanobanana_async._specs import MODELS
from nanobanana_async.bulk._errors import InputError

__all__ = ["Prices"]

_RESOLUTIONS: Final = tuple(
    dict.fromkeys(resolution for spec in MODELS.values() for resolution in spec.resolutions)
)
_MOST: Final = Decimal(1_000_000)
_DIGITS: Final = 9


@frozen
class Prices:
    """The price of a picture, by resolution; money is exact, so it is `Decimal`."""

    by_resolution: Mapping[str | None, Decimal] = field(factory=dict)
    """None stands for a model that has no resolutions."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``0.04``, or ``1K=0.04,2K=0.06,4K=0.10``.

        Raises:
            ValueError: it is neither.
        """
        prices: dict[str | None, Decimal] = {}
        for part in text.split(","):
            name, equals, value = part.partition("=")
            resolution = name.strip().upper() if equals else ""
            if equals and resolution not in _RESOLUTIONS:
                raise ValueError(f"{name.strip()!r} is no resolution: {', '.join(_RESOLUTIONS)}")
            price = _money(value if equals else part)
            for one in [resolution] if equals else [*_RESOLUTIONS, None]:
                if one in prices:
                    raise ValueError(f"{text!r} gives a price twice")
                prices[one] = price
        return cls(prices)

    def of(self, request: ImageRequest, model: str) -> Decimal:
        """Return what the picture costs; `model` is that of a request that names none.

        Raises:
            InputError: no price was given for its resolution, which is named.
        """
        spec = MODELS.get(request.model or model)
        resolution = (
            (request.resolution or spec.resolutions[0]) if spec and spec.resolutions else None
        )
        try:
            return self.by_resolution[resolution]
        except (KeyError, TypeError):  # TypeError: of a manifest that somebody has edited
            raise InputError(
                f"No price is given for {resolution or request.model or model}"
            ) from None


def _money(text: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text.strip()!r} is no price, such as 0.04") from None
    # Sums of what is within these bounds are exact.
    if not (value.is_finite() and 0 <= value <= _MOST and value == round(value, _DIGITS)):
        raise ValueError(f"{text.strip()!r} is no price, such as 0.04")
    return value
