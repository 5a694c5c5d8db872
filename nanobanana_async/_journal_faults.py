"""What goes wrong with a journal's file, as the errors that a caller knows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from nanobanana_async._errors import JournalDamagedError, JournalError, JournalInUseError

__all__ = ["KEPT", "in_use", "named"]

KEPT: Final = "The file is kept; what was sent after that is not known"


def in_use(path: Path) -> JournalInUseError:
    return JournalInUseError(f"{path} is in use", advice="One client can have it at a time")


def named(error: Exception, path: Path) -> JournalError:
    """Say what an error of SQLite or of the system means here."""
    if isinstance(error, JournalError):
        return error
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return in_use(path)
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return JournalDamagedError(f"{path} is damaged: {error}", advice=KEPT)
    if name.startswith("SQLITE_CANTOPEN"):
        return JournalError(f"{path} cannot be opened: {error}", advice="Choose another place")
    return JournalError(
        f"{path} cannot be written: {error}",
        advice="Nothing more is submitted. See to the disk, then start anew",
    )
