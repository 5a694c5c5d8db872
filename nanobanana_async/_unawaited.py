"""What is logged where nobody can be told any more: what was paid for is never lost in silence."""

from __future__ import annotations

import logging

from nanobanana_async._errors import (
    NanoBananaError,
    SubmitUnknownError,
    TaskError,
    TaskTimeoutError,
)
from nanobanana_async._models import ImageResult

__all__ = ["name_unawaited"]

_logger = logging.getLogger("nanobanana_async")


def name_unawaited(end: ImageResult | BaseException) -> None:
    """Log the end of a generation that no caller was given. What was never paid is not named."""
    match end:
        case ImageResult():
            _logger.warning(
                "Task %s finished and nobody awaits it: %s",
                end.task_id,
                " ".join(end.urls),
                extra={"task_id": end.task_id, "urls": end.urls},
            )
        case SubmitUnknownError():
            _logger.error(
                "A submit nobody awaits any more may have been accepted: %s",
                end,
                extra={"key": end.request.key if end.request else None},
            )
        case TaskTimeoutError():
            pass  # the end of a wait, not of the task
        case TaskError() | NanoBananaError(task_id=str(), status=int()):
            _logger.warning(
                "Task %s failed and nobody awaits it: %s",
                end.task_id,
                end,
                extra={"task_id": end.task_id},
            )
