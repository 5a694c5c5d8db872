"""How long a generation takes, and whether it fails: models to draw from.

A model is anything with `draw(rng, resolution)`. It keeps no state, so one model can serve
many emulators, and the same seed gives the same draws.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final, Protocol

from attrs import field, frozen

from nanobanana_async.emulator._checks import (
    A_WHILE,
    ABOVE_0,
    FROM_0,
    TEXT,
    is_list,
    is_number,
    must_be,
)


@frozen
class Failure:
    """Why a task failed, in the API's words."""

    code: str
    """Its failCode, such as ``CONTENT_VIOLATION``."""
    message: str
    """Its failMsg."""


@frozen
class Service:
    """What was drawn for one task."""

    seconds: float
    """Seconds from acceptance to the end of the task, before `speed` divides them."""
    failure: Failure | None = None
    """None: the task succeeds."""


class ServiceModel(Protocol):
    """Draws the service of one task.

    Whoever implements it owes that it keeps no state, and takes no chance but from `rng`: so the same
    seed gives the same service times.
    """

    def draw(self, rng: Random, resolution: str) -> Service:
        """Draw for a task of this resolution (`1K`, `2K` or `4K`)."""


def _is_model(value: Any) -> bool:
    # The class of a model has `draw`, too.
    return callable(getattr(value, "draw", None)) and not isinstance(value, type)


A_MODEL: Final = must_be("a model, such as LogNormal(15)", _is_model)
_MODELS: Final = must_be(
    "a list of models, such as LogNormal(15)", lambda value: is_list(value, _is_model)
)
_BY_NAME: Final = must_be(
    'models by name, such as {"1K": LogNormal(15), ...}',
    lambda value: isinstance(value, Mapping) and all(map(_is_model, value.values())),
)
_WEIGHTS: Final = must_be(
    "a list of numbers, each of 0 or more",
    lambda value: is_list(value, lambda weight: is_number(weight) and weight >= 0),
)


@frozen
class LogNormal:
    """Success after a lognormal time. `ValueError` for numbers that cannot be."""

    median: float = field(validator=ABOVE_0)
    """Seconds; half of the tasks take longer."""
    sigma: float = field(default=0.5, validator=FROM_0)
    """Standard deviation of the time's logarithm; the mean is median * exp(sigma**2 / 2)."""

    def draw(self, rng: Random, resolution: str) -> Service:  # noqa: ARG002 - the protocol
        """Draw for a task of any resolution."""
        return Service(self.median * rng.lognormvariate(0.0, self.sigma))


@frozen
class ByResolution:
    """Another model for each resolution. `ValueError` where one is missing."""

    models: Mapping[str, ServiceModel] = field(validator=_BY_NAME)
    """From `1K`, `2K` and `4K`, all three."""

    def __attrs_post_init__(self) -> None:
        """Refuse a missing resolution at once, not at the first task that has it."""
        if set(self.models) != {"1K", "2K", "4K"}:
            msg = f"ByResolution needs models for 1K, 2K and 4K, got {sorted(self.models)}"
            raise ValueError(msg)

    def draw(self, rng: Random, resolution: str) -> Service:
        """Draw from the resolution's model."""
        return self.models[resolution].draw(rng, resolution)


@frozen
class Mixture:
    """One of several models for each task, by weight: `Mixture([.9, .1], [fast, slow])`.

    `ValueError` for weights that do not fit.
    """

    weights: Sequence[float] = field(validator=_WEIGHTS)
    """They need not add up to 1."""
    models: Sequence[ServiceModel] = field(validator=_MODELS)
    """As many as there are weights."""

    def __attrs_post_init__(self) -> None:
        """Refuse weights that name no model, or none with a chance."""
        if len(self.weights) != len(self.models) or sum(self.weights) <= 0:
            msg = "Mixture needs one weight for each model, and one of them above 0"
            raise ValueError(msg)

    def draw(self, rng: Random, resolution: str) -> Service:
        """Choose a model, then draw from it."""
        (model,) = rng.choices(self.models, self.weights)
        return model.draw(rng, resolution)


@frozen
class Stuck:
    """Success after a fixed time that is far too long. `ValueError` for a time that cannot be."""

    seconds: float = field(default=600.0, validator=A_WHILE)
    """Seconds from acceptance to the end of the task, before `speed` divides them."""

    def draw(self, rng: Random, resolution: str) -> Service:  # noqa: ARG002 - the protocol
        """Draw for a task of any resolution."""
        return Service(self.seconds)


@frozen
class FailFast:
    """Failure after a fixed short time. `ValueError` for a time that cannot be."""

    seconds: float = field(default=1.0, validator=ABOVE_0)
    """Seconds from acceptance to the end of the task, before `speed` divides them."""
    code: str = field(default="GENERATION_FAILED", validator=TEXT)
    """Its failCode."""
    message: str = field(default="The generation failed", validator=TEXT)
    """Its failMsg."""

    def draw(self, rng: Random, resolution: str) -> Service:  # noqa: ARG002 - the protocol
        """Draw for a task of any resolution."""
        return Service(self.seconds, Failure(self.code, self.message))


# The middle of the published measurements of Nano Banana 2. nano-banana counts as 1K.
TYPICAL: Final = ByResolution(
    {"1K": LogNormal(15.0, 0.5), "2K": LogNormal(24.0, 0.5), "4K": LogNormal(40.0, 0.5)}
)
