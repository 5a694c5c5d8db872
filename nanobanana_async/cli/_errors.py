"""How an error that ends a command is said, and its exit code."""

import os
import traceback
from typing import Final

from nanobanana_async import (
    APIConnectionError,
    AuthenticationError,
    ClientClosedError,
    ClientCrashedError,
    InsufficientBalanceError,
    InvalidRequestError,
    MissingKeyError,
    NanoBananaError,
    NotSubmittedError,
    RateLimitError,
    ServerError,
)
from nanobanana_async.cli._exit_codes import AT_FAULT, DEFECT, MISSING, STOPPED
from nanobanana_async.cli._output import complain

_STOPPED_BY: Final = (
    APIConnectionError,
    AuthenticationError,
    ClientClosedError,
    ClientCrashedError,
    InsufficientBalanceError,
    RateLimitError,
    ServerError,
)


def fail(error: Exception, *, debug: bool = False) -> int:
    """Say what went wrong in one line, with its traceback where one is wanted; the exit code."""
    if debug:
        complain("".join(traceback.format_exception(error)).rstrip())
    complain(f"Error: {sentence(error)}")
    return exit_code(error)


def exit_code(error: Exception) -> int:
    """Return the exit code of a command that this ended."""
    if isinstance(error, NotSubmittedError) and isinstance(error.__cause__, NanoBananaError):
        error = error.__cause__
    if isinstance(error, InvalidRequestError | MissingKeyError | OSError):
        return AT_FAULT
    if isinstance(error, _STOPPED_BY):
        return STOPPED
    return MISSING if isinstance(error, NanoBananaError) else DEFECT


def sentence(error: Exception) -> str:
    """Say what went wrong, to somebody who typed a command."""
    if isinstance(error, MissingKeyError) and not os.environ.get("APIXO_API_KEY"):
        return "No API key: export APIXO_API_KEY=sk-… first. `nanobanana demo` needs none"
    if isinstance(error, ClientCrashedError):
        return f"{error} (cause: {error.__cause__!r})"
    if isinstance(error, NanoBananaError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}. This is a defect of nanobanana; --debug shows where"
