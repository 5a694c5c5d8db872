"""What an account may do at once.

How the API counts its minute is not documented, so the client has to be safe under every way of
counting. Two mechanisms together are: the pacer spreads requests out, and the window ledger makes
up for what a network does to the spacing on the way.
"""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

__all__ = ["Limits"]


def _whole_number_from(least: int) -> Any:
    def check(_: Any, attribute: Attribute[int], value: Any) -> None:
        if type(value) is not int or value < least:
            raise ValueError(f"{attribute.name} must be a whole number of at least {least}")

    return check


def _yes_or_no(_: Any, attribute: Attribute[bool], value: Any) -> None:
    if type(value) is not bool:
        raise ValueError(f"{attribute.name} must be True or False, not {value!r}")


@frozen
class Limits:
    """Limits of an account, as the vendor states them. `ValueError` for what nobody could keep."""

    requests_per_minute: int = field(default=10_000, validator=_whole_number_from(2))
    """Requests a minute, submits and status checks together; at least 2."""
    concurrent_tasks: int = field(default=1_000, validator=_whole_number_from(1))
    """Tasks running at once; at least 1."""
    optimistic: bool = field(default=False, kw_only=True, validator=_yes_or_no)
    """Submit somewhat more than is known to be free, since tasks end before the client sees it: up
    to a sixth more throughput. The API refuses a few of these submits, at no cost; whether your
    account's terms allow that is for you to judge."""
