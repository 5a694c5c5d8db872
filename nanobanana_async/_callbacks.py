"""The callbacks of one client, by the marks of their tokens. Times are handed in, in seconds.

Each has an owner: the generation whose attempt it belongs to, or what the journal says of an
attempt of an earlier client. Once a task has ended its callback is over, and only its mark is kept
for a while: so many end that the generations must not be kept alive with them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeAlias, TypeVar

from attrs import define, field, frozen

from nanobanana_async._callback import Callback
from nanobanana_async._generation import Generation
from nanobanana_async._journal import LAST, Kind, Past
from nanobanana_async._tokens import Tokens
from nanobanana_async._webhooks import Webhooks

__all__ = ["Callbacks", "Known", "Over", "Owned"]

_GOOD: Final = 600.0
_REMEMBERED: Final = 1_200.0
_GIVEN_UP_KEPT: Final = 86_400.0


@frozen(eq=False, repr=False)
class Owned:
    """A callback whose delivery somebody waits for, or that was given up."""

    callback: Callback
    owner: Generation | Past


@frozen(eq=False, repr=False)
class Over:
    """A callback whose task has ended."""

    task_id: str | None
    at: float
    """The loop's time at which it was seen to end."""
    refused: bool = False
    """True where the API said that it had not accepted the attempt."""

    def is_good(self, now: float) -> bool:
        """True for ten minutes: until then a repeated delivery is no surprise."""
        return now < self.at + _GOOD


T = TypeVar("T")
Known: TypeAlias = Owned | Over
"""What can be known of a token of ours."""


@define(eq=False, repr=False)
class Callbacks:
    """Hands out callbacks and finds them again; `webhooks` is None where there are none."""

    webhooks: Webhooks | None
    _tokens: Tokens = field(init=False)
    _owned: dict[bytes, Owned] = field(factory=dict, init=False)
    _given_up: OrderedDict[bytes, Owned] = field(factory=OrderedDict, init=False)
    """Those that nobody waits for: what is delivered is named. For a day, the oldest first."""
    _over: OrderedDict[bytes, Over] = field(factory=OrderedDict, init=False)
    """In the order of their ends."""

    def __attrs_post_init__(self) -> None:
        self._tokens = Tokens(self.webhooks.secret if self.webhooks else b"")

    def announce(self, generation: Generation) -> Callback | None:
        """Give the next attempt of `generation` a callback, unless it has a URL of its own."""
        own = generation.request is not None and generation.request.callback_url
        if self.webhooks is None or own:
            return None
        token, mark = self._tokens.mint()
        callback = Callback(mark, f"{self.webhooks.public_url}/{token}")
        generation.callback = callback
        self._owned[mark] = Owned(callback, generation)
        return callback

    def remember(self, past: Past, now: float, seconds_ago: float) -> None:
        """Know the callback of an attempt that is in the journal, last heard of then."""
        if self.webhooks is None or past.mark is None:
            return
        mark = bytes.fromhex(past.mark)
        if past.kind not in LAST:
            callback = Callback(mark, number=past.number)
            self._owned[mark] = Owned(callback, past)
            if past.acknowledged:
                self.give_up(callback, "it was acknowledged without an end", now)
        elif seconds_ago < _REMEMBERED:
            refused = past.kind is Kind.REFUSED
            self._over[mark] = Over(past.task_id, now - max(seconds_ago, 0.0), refused)

    def of_past(self, past: Past) -> Callback | None:
        """Return the callback of an attempt of an earlier client, where a delivery may come."""
        known = self._owned.get(bytes.fromhex(past.mark)) if past.mark else None
        return None if known is None else known.callback

    def hand_over(self, callback: Callback, generation: Generation) -> None:
        """Let `generation` go on with this attempt."""
        generation.callback = callback
        callback.given_up = None
        self._given_up.pop(callback.mark, None)
        self._owned[callback.mark] = Owned(callback, generation)

    def find(self, token: str) -> Known | None:
        """Return what is known of a token of ours; None where another process has it.

        Raises:
            LookupError: it is none of ours.
        """
        mark = self._tokens.mark_of(token)
        if mark is None:
            raise LookupError
        return self._owned.get(mark) or self._given_up.get(mark) or self._over.get(mark)

    def give_up(self, callback: Callback, why: str, now: float) -> None:
        """Nobody waits for its delivery any more. One that comes all the same is not lost."""
        callback.given_up, callback.given_up_at = why, now
        known = self._owned.pop(callback.mark, None)
        if known is not None:
            self._given_up[callback.mark] = known
        self._forget_old(now)

    def over(
        self, callback: Callback, task_id: str | None, now: float, *, refused: bool = False
    ) -> None:
        """Its task has ended, or its attempt was refused."""
        self.forget(callback)
        self._over[callback.mark] = Over(task_id, now, refused)
        self._forget_old(now)

    def forget(self, callback: Callback) -> None:
        """It was never sent."""
        self._owned.pop(callback.mark, None)
        self._given_up.pop(callback.mark, None)

    def _forget_old(self, now: float) -> None:
        given_up, over = self._given_up, self._over
        while given_up and _oldest(given_up).callback.given_up_at + _GIVEN_UP_KEPT <= now:
            given_up.popitem(last=False)
        while over and _oldest(over).at + _REMEMBERED <= now:
            over.popitem(last=False)


def _oldest(kept: OrderedDict[bytes, T]) -> T:
    return next(iter(kept.values()))
