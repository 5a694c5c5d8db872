"""What breaks in the emulator itself, such as a service model of somebody's own, is said aloud."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from nanobanana_async.emulator._wire import Request

FAILED: Final = "the emulator itself failed: that was no fault of the API"

_log = logging.getLogger("nanobanana_async.emulator")


@contextmanager
def said_aloud(request: Request) -> Iterator[None]:
    """Log what breaks in the work on a request, and let it go on."""
    try:
        yield
    except Exception:
        _log.exception("%s (%s %s)", FAILED, request.method, request.path)
        raise
