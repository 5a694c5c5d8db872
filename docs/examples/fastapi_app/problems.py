"""What a browser is told when something goes wrong: never the error itself.

An error's text is for whoever runs the app. It is logged, and may name the account's troubles.
"""

import logging
from http import HTTPStatus
from typing import NamedTuple

from nanobanana_async import (
    ClientClosedError,
    DownloadError,
    InvalidRequestError,
    NanoBananaError,
    PermissionDeniedError,
    QueueTimeoutError,
    ResultUnreadableError,
    SubmitUnknownError,
    TaskFailedError,
    TaskStuckError,
    TaskTimeoutError,
)

_logger = logging.getLogger(__name__)


class Problem(NamedTuple):
    """An HTTP status, and a sentence for people."""

    status: int
    message: str


PROBLEMS = {
    "busy": Problem(503, "Too many people are waiting. Please try again in a while."),
    "restarting": Problem(503, "The server is restarting. Please try again in a moment."),
    "unavailable": Problem(503, "Nothing can be drawn at the moment. Please try again later."),
    "invalid": Problem(422, "The prompt cannot be drawn as it is: it may be too long."),
    "refused": Problem(422, "This was refused: please describe something else."),
    "failed": Problem(502, "The drawing failed. Trying again may help."),
    "slow": Problem(504, "The drawing takes far too long."),
    "not_fetched": Problem(
        502, "The picture is drawn and cannot be fetched yet. Please look again later."
    ),
    "unknown": Problem(
        502, "The connection was lost: it may have been drawn and paid for. It is not sent again."
    ),
}
"""By the code that is stored with a job."""


_OF_FAILURES = {
    "content": "refused",
    "prompt": "refused",
    "image": "refused",
    "account": "unavailable",
}
_OF_ERRORS: dict[type[NanoBananaError], str] = {
    InvalidRequestError: "invalid",
    PermissionDeniedError: "refused",
    SubmitUnknownError: "unknown",
    TaskStuckError: "slow",
    TaskTimeoutError: "slow",
    DownloadError: "not_fetched",
    ResultUnreadableError: "not_fetched",
    QueueTimeoutError: "busy",
    ClientClosedError: "restarting",
}


def code_of(error: NanoBananaError) -> str:
    """Return the code of the problem that an error is, and log what a browser does not see."""
    if isinstance(error, TaskFailedError):
        code = _OF_FAILURES.get(error.group, "failed")
    else:
        # The key, the balance, the journal: nobody's business but ours.
        code = _OF_ERRORS.get(type(error), "unavailable")
    ours = PROBLEMS[code].status >= HTTPStatus.INTERNAL_SERVER_ERROR
    _logger.log(logging.ERROR if ours else logging.INFO, "%s: %s", code, error)
    return code
