"""How long a call made now would wait in line, told from a client's figures.

Little's law: N tasks that hold their slots for H seconds each give back N / H slots a second. Whoever
joins needs as many of them as stand ahead and find no free slot now. What finds a free slot goes
out at the rate of requests, of which looks take their share. Pure: a function of the statistics.
"""

from __future__ import annotations

from typing import Final

from nanobanana_async._models import Statistics
from nanobanana_async._queue import BULK_SHARE

__all__ = ["UNLEARNED", "expected_wait"]

UNLEARNED: Final = 15.0
"""Seconds that a task is taken to run while none has been seen to end."""
_FOR_SUBMITS: Final = 7 / 8
"""Of the requests, what submits get while looks wait, too."""


def expected_wait(figures: Statistics, *, bulk: bool = False, paused: float = 0.0) -> float:
    """Return the seconds until a call made now is sent.

    Args:
        figures: the client's, of this moment.
        bulk: it stands behind all who wait, and not behind its own class alone.
        paused: seconds for which nothing is sent, as far as is known.
    """
    ahead = figures.queued if bulk else _ahead_of_interactive(figures)
    return paused + max(_until_rate_allows(figures, ahead), _until_slot_is_free(figures, ahead))


def _ahead_of_interactive(figures: Statistics) -> float:
    interactive = figures.queued - figures.queued_bulk
    return interactive + min(figures.queued_bulk, interactive / (BULK_SHARE - 1))


def _until_rate_allows(figures: Statistics, ahead: float) -> float:
    return ahead / (figures.rate_in_force / 60 * _FOR_SUBMITS)


def _until_slot_is_free(figures: Statistics, ahead: float) -> float:
    if ahead < figures.slots_left:
        return 0.0
    missing = ahead + 1 - figures.slots_left
    held_for = (figures.mean_service_time or UNLEARNED) + figures.mean_lag
    # Submits whose answer was lost hold slots for far longer, and whose tasks are known to run are
    # more than the slots in force where submits go beyond them.
    holding = max(figures.slots_in_force - figures.slots_unknown, figures.in_flight, 1)
    return missing * held_for / holding
