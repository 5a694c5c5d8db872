"""What keeps a bulk run from beginning, or from going on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import frozen

from nanobanana_async._errors import NanoBananaError

__all__ = [
    "BulkError",
    "DiskError",
    "FolderError",
    "FolderInUseError",
    "InputChangedError",
    "InputError",
    "InvalidRowsError",
    "Rejected",
]


class BulkError(NanoBananaError):
    """Root of the errors of bulk runs themselves; nothing that is paid for is lost by one."""


class InputError(BulkError):
    """The input cannot be read; nothing was sent."""

    default_advice = "Nothing was sent"


@frozen
class Rejected:
    """A row that breaks a rule."""

    line: int
    """Where it stands in the input, from 1."""
    key: str
    """Its own, or its number."""
    faults: tuple[tuple[str, str], ...]
    """Field and reason of each."""

    def __str__(self) -> str:
        return "\n".join(f"line {self.line}: {field}: {reason}" for field, reason in self.faults)


class InvalidRowsError(InputError):
    """Some rows break a rule of the API; nothing was sent.

    Attributes:
        count: how many rows these are.
        rejected: the first of them.
    """

    default_advice = "Mend them, or leave them out with --skip-invalid; nothing was sent"

    def __init__(
        self, message: str, *, count: int = 0, rejected: Iterable[Rejected] = (), **known: Any
    ) -> None:
        super().__init__(message, **known)
        self.count = count
        self.rejected: tuple[Rejected, ...] = tuple(rejected)


class InputChangedError(InputError):
    """The input is not the one that the run in this folder began with."""

    default_advice = (
        "Use another folder; or, where every row still has the key that it had, go on with "
        "--accept-changed. Nothing was sent"
    )


class FolderError(BulkError):
    """The folder cannot be used."""


class FolderInUseError(FolderError):
    """Another run is at work in the folder."""

    default_advice = "Wait for it to end, or use another folder"


class DiskError(BulkError):
    """A picture or a line of the manifest cannot be written; what runs is on record."""

    default_advice = "Nothing more was submitted. Make room, then type the same command again"
