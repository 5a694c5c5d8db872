"""What became of one request of many."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from nanobanana_async._errors import NanoBananaError
from nanobanana_async._models import ImageRequest, ImageResult

__all__ = ["Outcome"]


@frozen(kw_only=True)
class Outcome:
    """What became of one request: a result or an error."""

    index: int
    """Its place in what was handed in, from 0; in `resume`, in the order of sending."""
    key: str | None
    """The request's own `key`."""
    request: ImageRequest
    """The request itself; a prompt alone was made one."""
    result: ImageResult | None = None
    """Where the pictures are; None where there is an `error`."""
    error: NanoBananaError | None = None
    """Why there is no picture, given and not raised; None where there is a `result`."""
    attempt: int | None = None
    """The number in the journal of its last submit; None where there is no journal, or no submit
    that may have been accepted."""
    _acknowledge: Callable[[], None] | None = field(default=None, repr=False, eq=False)

    def acknowledge(self) -> None:
        """Note in the journal that this outcome is in a safe place: `resume` leaves it out.

        It is on the disk within a moment, at the latest when the client is closed; does nothing
        without a journal. After a crash in that moment, `resume` hands it out again.

        Raises:
            JournalError: the client is closed, or the journal cannot be written.
        """
        if self._acknowledge is not None:
            self._acknowledge()
