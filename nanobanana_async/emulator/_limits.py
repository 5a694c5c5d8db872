"""Limits that are not what they were: for a while the account has others.

Such as when another process uses the same key, or the vendor cuts an account down unannounced.
"""

from collections.abc import Iterable

from attrs import field, frozen
from attrs.validators import optional

from nanobanana_async.emulator._checks import A_WHILE, FROM_0, whole_from
from nanobanana_async.emulator._steps import Steps


@frozen
class LimitChange:
    """From `start` on, for `length` seconds, these are the limits; None leaves one as it is.

    Where changes overlap, the one listed later holds. `ValueError` for a change of nothing.
    """

    start: float = field(validator=FROM_0)
    """The core's seconds, counted from its beginning."""
    length: float = field(validator=A_WHILE)
    """Seconds; may be infinite."""
    requests_per_minute: int | None = field(default=None, validator=optional(whole_from(0)))
    """Requests a minute; 0 refuses every request."""
    concurrent_tasks: int | None = field(default=None, validator=optional(whole_from(0)))
    """Tasks at once; 0 refuses every submit, and tasks that run already go on."""

    def __attrs_post_init__(self) -> None:
        """Refuse a change that changes nothing."""
        if self.requests_per_minute is None and self.concurrent_tasks is None:
            msg = "LimitChange needs requests_per_minute, concurrent_tasks or both"
            raise ValueError(msg)


def requests_over_time(usual: int, changes: Iterable[LimitChange]) -> Steps[int]:
    """Return the limit of requests a minute at each time."""
    return _over_time(usual, [(change, change.requests_per_minute) for change in changes])


def tasks_over_time(usual: int, changes: Iterable[LimitChange]) -> Steps[int]:
    """Return the limit of tasks at once at each time."""
    return _over_time(usual, [(change, change.concurrent_tasks) for change in changes])


def _over_time(usual: int, changes: list[tuple[LimitChange, int | None]]) -> Steps[int]:
    spans = [
        (change.start, change.start + change.length, limit)
        for change, limit in changes
        if limit is not None
    ]
    edges = sorted({edge for start, end, _ in spans for edge in (start, end)})

    def limit_from(edge: float) -> int:
        held = (limit for start, end, limit in reversed(spans) if start <= edge < end)
        return next(held, usual)

    return Steps(usual, [(edge, limit_from(edge)) for edge in edges])
