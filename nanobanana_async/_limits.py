"""What an account may do at once.

How the API counts its minute is not documented, so the client has to be safe under every way of
counting. Two mechanisms together are: the pacer spreads requests out, and the window ledger makes
up for what a network does to the spacing on the way.
"""

from __future__ import annotations

from typing import Any, Final, Self

from attrs import Attribute, evolve, field, frozen

from nanobanana_async._checks import flag

__all__ = ["Limits"]

_FEWEST_REQUESTS: Final = 2
_FEWEST_TASKS: Final = 1


def _whole_number_from(least: int) -> Any:
    def check(_: Any, attribute: Attribute[int], value: Any) -> None:
        if type(value) is not int or value < least:
            raise ValueError(f"{attribute.name} must be a whole number of at least {least}")

    return check


@frozen
class Limits:
    """Limits of an account, as the vendor states them. `ValueError` for what nobody could keep."""

    requests_per_minute: int = field(default=10_000, validator=_whole_number_from(_FEWEST_REQUESTS))
    """Requests a minute, submits and status checks together; at least 2."""
    concurrent_tasks: int = field(default=1_000, validator=_whole_number_from(_FEWEST_TASKS))
    """Tasks running at once; at least 1."""
    optimistic: bool = field(default=False, kw_only=True, validator=flag)
    """Submit somewhat more than is known to be free, since tasks end before the client sees it: up
    to a sixth more throughput. The API refuses a few of these submits, at no cost; whether your
    account's terms allow that is for you to judge."""

    def share(self, index: int, *, of: int) -> Self:
        """Return one of `of` equal shares, for as many clients on one account: 1, 2, … `of`.

        Together they are exactly the whole; what does not divide goes to the first ones, one each.

        Raises:
            ValueError: there is no such share, or the smallest of them could not be kept.
        """
        if type(of) is not int or of < 1:
            raise ValueError(f"of must be a whole number of at least 1, not {of!r}")
        if type(index) is not int or not 1 <= index <= of:
            raise ValueError(f"index must be a whole number from 1 to {of}, not {index!r}")
        most = min(
            self.requests_per_minute // _FEWEST_REQUESTS, self.concurrent_tasks // _FEWEST_TASKS
        )
        if of > most:
            raise ValueError(
                f"{self.requests_per_minute} requests a minute and {self.concurrent_tasks} tasks at"
                f" once cannot be shared by {of}: each needs {_FEWEST_REQUESTS} requests and"
                f" {_FEWEST_TASKS} task, so {most} can share them at most"
            )
        return evolve(
            self,
            requests_per_minute=_part(self.requests_per_minute, index, of),
            concurrent_tasks=_part(self.concurrent_tasks, index, of),
        )


def _part(whole: int, index: int, of: int) -> int:
    part, over = divmod(whole, of)
    return part + (index <= over)
