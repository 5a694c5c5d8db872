"""How a bulk run ends on the command line: what is said last, and the exit code."""

from typing import Final

from nanobanana_async import ClientCrashedError, MissingKeyError, NanoBananaError
from nanobanana_async.bulk import FolderError, InputError, InvalidRowsError, Summary
from nanobanana_async.cli._output import complain
from nanobanana_async.cli._words import counted

_SOME_ROWS: Final = 1
_AT_FAULT: Final = 2
_STOPPED: Final = 3


def failed(error: Exception) -> int:
    """Say what kept the run from beginning, or from going on; return the exit code."""
    cause = f" (cause: {error.__cause__!r})" if isinstance(error, ClientCrashedError) else ""
    complain(f"Error: {error}{cause}")
    if isinstance(error, InvalidRowsError):
        for line in "\n".join(map(str, error.rejected)).splitlines():
            complain(f"  {line}")
        if error.count > len(error.rejected):
            complain(f"  … and {error.count - len(error.rejected):,} more")
    at_fault = isinstance(error, InputError | FolderError | MissingKeyError)
    return _AT_FAULT if at_fault else _STOPPED


def ended(summary: Summary, signalled: int | None, again: str) -> int:
    """Say why rows are left, if any are; return the exit code.

    Args:
        summary: what the run has left.
        signalled: the signal that stopped it.
        again: the command that goes on.
    """
    if summary.stopped_by is not None:
        complain(f"Error: {_as_sentence(summary.stopped_by)} To go on then: {again}")
        return _STOPPED
    if signalled is not None:
        complain(f"Stopped. To go on: {again}")
        return 128 + signalled
    if summary.budget_reached:
        complain(f"The budget is reached, {counted(summary.unsent)} left.")
        return _STOPPED
    return 0 if summary.states["succeeded"] == summary.rows else _SOME_ROWS


def _as_sentence(error: NanoBananaError) -> str:
    text = str(error)
    return text if text.endswith(".") else f"{text}."
