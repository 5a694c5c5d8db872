"""How a client looks at its tasks."""

from __future__ import annotations

from typing import Any, Literal

from attrs import Attribute, field, frozen

from nanobanana_async._checks import patience
from nanobanana_async._service_times import ServiceTimes

__all__ = ["Polling"]


def _known(_: Any, __: Attribute[str], value: Any) -> None:
    if value not in ("learned", "stalest"):
        raise ValueError(f"strategy must be 'learned' or 'stalest', not {value!r}")


def _learned(_: Any, __: Attribute[Any], value: Any) -> None:
    if not isinstance(value, ServiceTimes | None):
        raise TypeError(
            f"service_times must be ServiceTimes, not {type(value).__name__}; "
            "read a stored one with ServiceTimes.from_json"
        )


@frozen(kw_only=True)
class Polling:
    """How the client looks at its tasks. `ValueError` or `TypeError` for what makes no sense."""

    strategy: Literal["learned", "stalest"] = field(default="learned", validator=_known)
    """``learned``: when a task is likely to have ended, by what was learned of its class.
    ``stalest``: in turn, the one that was not looked at for longest, at most once a second."""
    price: float = field(default=0.1, validator=patience)
    """What a look is worth, in seconds of lag: with budget to spare, a lower price means earlier
    detection for more looks. ``stalest`` takes no notice."""
    service_times: ServiceTimes | None = field(default=None, validator=_learned, hash=False)
    """What an earlier client has learned (`NanoBananaClient.service_times`)."""
