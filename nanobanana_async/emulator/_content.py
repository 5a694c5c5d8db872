"""What the emulated provider refuses to generate.

Two rules stand in for real moderation and real downloads:

- a prompt with the word `forbidden`, in any case, fails with CONTENT_VIOLATION;
- an image URL whose host ends in `.invalid` fails with INVALID_IMAGE_URL.

Such a task is accepted and paid for, and fails `OBJECTION_SECONDS` later (divided by `speed`).
"""

import re
from typing import Final
from urllib.parse import urlsplit

from nanobanana_async.emulator._order import Order
from nanobanana_async.emulator._service import Failure

OBJECTION_SECONDS: Final = 2.0

_FORBIDDEN: Final = re.compile(r"\bforbidden\b", re.IGNORECASE)
_VIOLATION: Final = Failure("CONTENT_VIOLATION", "Content violates safety guidelines")
_NO_IMAGE: Final = Failure("INVALID_IMAGE_URL", "Cannot access provided image URL")


def objection(order: Order) -> Failure | None:
    """Tell why this order fails, or None."""
    if _FORBIDDEN.search(order.prompt):
        return _VIOLATION
    if any((urlsplit(url).hostname or "").endswith(".invalid") for url in order.image_urls):
        return _NO_IMAGE
    return None
