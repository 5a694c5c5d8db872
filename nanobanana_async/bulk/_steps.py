"""May a row be sent? The one question on which money hangs, as pure functions.

What is known of a row comes from three places: its line in the manifest, the journal, and how far the
input had been read when the journal was begun. A row is sent only where all three agree that nothing
was paid for it, or where its user asked for another charge.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from nanobanana_async.bulk._manifest import Entry
from nanobanana_async.bulk._settings import BulkSettings

__all__ = ["Known", "anew", "may_be_sent", "may_succeed", "must_be_found"]

_NOBODY_KNOWS: Final = frozenset({"unknown", "stuck", "not_found", "unreadable"})


@frozen(kw_only=True)
class Known:
    """What is known of a row beside its settings."""

    entry: Entry | None
    """Of its line in the manifest, if it has one."""
    busy: bool
    """Its task is being looked at, or what came of it is being saved."""
    in_journal: bool
    """An earlier run has sent it, and it may have been accepted."""
    provable: bool
    """Had it been sent, it would be in the journal."""


def may_succeed(entry: Entry, settings: BulkSettings) -> bool:
    """It failed in a way that may not come again, and has submits left."""
    return entry.retryable and entry.attempts < settings.attempts


def anew(entry: Entry, settings: BulkSettings) -> bool:
    """The settings ask for another submit; a row that was refused was never paid for."""
    return (
        entry.state == "refused"
        or (entry.state == "failed" and settings.retry_failed)
        or (entry.state in _NOBODY_KNOWS and settings.retry_unknown)
        or may_succeed(entry, settings)
    )


def must_be_found(known: Known) -> bool:
    """It may have been sent, and no line says what came of it: look at it, or name it."""
    if known.busy:
        return False
    if known.entry is None:
        return known.in_journal or not known.provable
    return known.entry.anew and not known.provable


def may_be_sent(known: Known, *, asked: bool) -> bool:
    """Nothing was paid for it, or another charge was asked for and the last one is at rest."""
    if known.busy or must_be_found(known):
        return False
    return known.entry is None or asked
