"""The callback of one attempt to submit."""

from __future__ import annotations

from attrs import define, field

__all__ = ["Callback"]


@define(eq=False, repr=False)
class Callback:
    """Where the end of one attempt is told."""

    mark: bytes
    """What is stored of its token."""
    url: str | None = field(default=None, repr=False)
    """Holds the token; None for an attempt of an earlier client."""
    number: int | None = None
    """The number of the attempt in the journal."""
    sent_at: float | None = None
    """The loop's time at which it was sent; None for an attempt of an earlier client."""
    given_up: str | None = None
    """Why nobody waits for its delivery any more, though one may come."""
    given_up_at: float = 0.0
    """The loop's time of that."""
    paid_twice: bool = False
    """True once its task was counted as one too many."""
