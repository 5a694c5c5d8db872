"""The API's fail codes, and whether a task that failed so may succeed when submitted anew.

Two generations of names are documented. The set is open: an unknown code is kept as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nanobanana_async._errors import TaskFailedError
from nanobanana_async._models import TaskStatus

__all__ = ["ACCOUNT", "failure", "group_of"]

ACCOUNT = "account"

_CODES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "content": (
            "CONTENT_VIOLATION",
            "NSFW_DETECTED",
            "SensitiveContent",
            "SensitiveContentDetected",
            "InputImageSensitiveContentDetected",
            "InputOutputSensitiveContentDetected",
            "NSFW",
            "ProhibitedContentDetected",
        ),
        "prompt": ("PROMPT_TOO_LONG", "INVALID_PROMPT", "PromptLengthExceeded"),
        "image": (
            "INVALID_IMAGE_URL",
            "IMAGE_TOO_LARGE",
            "UNSUPPORTED_FORMAT",
            "IMAGE_DOWNLOAD_FAILED",
        ),
        "processing": ("PROCESSING_TIMEOUT", "MODEL_UNAVAILABLE", "GENERATION_FAILED"),
        ACCOUNT: ("INSUFFICIENT_CREDITS",),
    }
)
_GROUPS = {code: group for group, codes in _CODES.items() for code in codes}

_ADVICE = {
    "content": "Change the prompt or the reference images; the same again would fail again",
    "prompt": "Change the prompt; the same again would fail again",
    "image": "Check that each reference is a public JPEG, PNG or WebP of at most 10 MB",
    "processing": "Submitting it anew may succeed, and is a new charge",
    ACCOUNT: "Top up the account",
}


def group_of(fail_code: str | None) -> str:
    """Return the group of a fail code; ``unknown`` for one that is not documented."""
    return _GROUPS.get(fail_code or "", "unknown")


def failure(status: TaskStatus) -> TaskFailedError:
    """Build the error of a task that was seen failed."""
    group = group_of(status.fail_code)
    reason = ": ".join(text for text in (status.fail_code, status.fail_message) if text)
    return TaskFailedError(
        f"The generation failed with {reason or 'no reason given'}",
        task_id=status.task_id,
        fail_code=status.fail_code,
        fail_message=status.fail_message,
        group=group,
        retryable=group == "processing",
        advice=_ADVICE.get(group, ""),
    )
