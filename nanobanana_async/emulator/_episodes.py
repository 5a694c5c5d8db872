"""Faults that come at a time of their own: an outage, a bad minute of every hour."""

from collections.abc import Sequence
from typing import Final

from attrs import field, frozen
from attrs.validators import optional

from nanobanana_async.emulator._callback_faults import CALLBACK_FAULTS
from nanobanana_async.emulator._checks import (
    A_WHILE,
    ABOVE_0,
    FROM_0,
    TEXT,
    is_probability,
    must_be,
)
from nanobanana_async.emulator._faults import ANY_FAULTS, FAULTS, unknown_fault

_PROBABILITY: Final = must_be("a number from 0 to 1", is_probability)


@frozen
class Episode:
    """From `start` on, for `length` seconds, requests suffer `fault`.

    Times are the core's seconds, counted from its beginning; `Settings.speed` leaves them as they
    are. `ValueError` for an unknown fault or times that cannot be.
    """

    fault: str = field(validator=TEXT)
    """As in `Settings.faults`; or `any_{act}`: submits, checks and balance requests alike."""
    start: float = field(validator=FROM_0)
    """Seconds."""
    length: float = field(validator=A_WHILE)
    """Seconds; may be infinite."""
    probability: float = field(default=1.0, validator=_PROBABILITY)
    """Of several at once, that of the first is taken in full, and what is left by the next."""
    every: float | None = field(default=None, validator=optional(ABOVE_0))
    """Seconds from one start to the next; None: it comes once."""

    def __attrs_post_init__(self) -> None:
        """Refuse an unknown fault, and repeats that overlap."""
        if self.fault in CALLBACK_FAULTS:
            msg = f"an episode is of requests; {self.fault} goes into faults"
            raise ValueError(msg)
        if not self.names():
            raise ValueError(unknown_fault(self.fault))
        if self.every is not None and self.every < self.length:
            msg = f"every ({self.every:g} s) must be at least length ({self.length:g} s)"
            raise ValueError(msg)

    def names(self) -> Sequence[str]:
        """Name the faults that it means; one a kind of request at most."""
        return ANY_FAULTS.get(self.fault, (self.fault,) if self.fault in FAULTS else ())

    def active(self, now: float) -> bool:
        """Tell whether it lasts at `now`, in seconds; its last moment is no longer part of it."""
        since = now - self.start
        if since >= 0 and self.every is not None:
            since %= self.every
        return 0 <= since < self.length
