"""Two clients with one key in one process: each believes that the whole budget is its own."""

from __future__ import annotations

import logging
from typing import Final
from weakref import WeakValueDictionary

__all__ = ["Sharing"]

_logger = logging.getLogger("nanobanana_async")


class Sharing:
    """Who uses an account in this process; one warning an account. Keeps no key, but its hash."""

    def __init__(self) -> None:
        self._users: Final[WeakValueDictionary[int, object]] = WeakValueDictionary()
        self._warned: Final[set[int]] = set()

    def begin(self, user: object, *account: str) -> None:
        """Note that `user` begins to send requests for an account."""
        number = hash(account)
        other = self._users.get(number)
        if other is not None and other is not user and number not in self._warned:
            self._warned.add(number)
            _logger.warning(
                "Two clients with one API key are open in this process: together they may exceed "
                "the account's limits. Share one client, unless each has its part of the limits"
            )
        self._users[number] = user

    def end(self, user: object, *account: str) -> None:
        """Note that `user` was closed."""
        number = hash(account)
        if self._users.get(number) is user:
            del self._users[number]
