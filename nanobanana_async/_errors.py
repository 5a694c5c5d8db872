"""Everything that can go wrong, split by what the caller can do about it.

::

  NanoBananaError
  ├── InvalidRequestError         mend the request; nothing was paid
  ├── MissingKeyError             give an API key
  ├── WrongLoopError              use the client in the event loop it was opened in
  ├── ClientClosedError           the client was closed while this was going on
  ├── ClientCrashedError          a defect of this library; the cause is chained
  ├── APIConnectionError          the API cannot be reached
  ├── APIStatusError              the API answered with an error
  │   ├── AuthenticationError     the key is wrong
  │   ├── PermissionDeniedError   content refused, or the key may not do this
  │   ├── InsufficientBalanceError  top up the account
  │   ├── NotFoundError           no such model or endpoint
  │   ├── RateLimitError          refused for 30 s on end
  │   └── ServerError             the API is in trouble
  ├── NotSubmittedError           never sent, nothing paid: the run was stopped
  ├── QueueTimeoutError           never sent, nothing paid: the time was over (a TimeoutError)
  ├── SubmitUnknownError          sent, answer lost: it MAY have been paid for
  ├── TaskError                   about one accepted task
  │   ├── TaskFailedError         the API says it failed
  │   ├── TaskTimeoutError        the wait is over, the task is not (a TimeoutError)
  │   ├── TaskStuckError          far older than any task should be
  │   ├── TaskNotFoundError       the API does not know it (any more)
  │   └── ResultUnreadableError   finished, but the answer names no picture
  ├── DownloadError               a picture could not be fetched whole
  ├── JournalError                the durable record of submits
  │   ├── JournalInUseError
  │   ├── JournalVersionError
  │   └── JournalDamagedError
  └── ServiceTimesError           a table of service times that does not fit this version
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from attrs import frozen

from nanobanana_async._models import ImageRequest, TaskHandle

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "AuthenticationError",
    "ClientClosedError",
    "ClientCrashedError",
    "DownloadError",
    "FieldFault",
    "InsufficientBalanceError",
    "InvalidRequestError",
    "JournalDamagedError",
    "JournalError",
    "JournalInUseError",
    "JournalVersionError",
    "MissingKeyError",
    "NanoBananaError",
    "NotFoundError",
    "NotSubmittedError",
    "PermissionDeniedError",
    "QueueTimeoutError",
    "RateLimitError",
    "ResultUnreadableError",
    "ServerError",
    "ServiceTimesError",
    "SubmitUnknownError",
    "TaskError",
    "TaskFailedError",
    "TaskNotFoundError",
    "TaskStuckError",
    "TaskTimeoutError",
    "WrongLoopError",
    "fresh",
]


class NanoBananaError(Exception):
    """Root of all errors of this library.

    Attributes:
        task_id: id of the task concerned, where one is known.
        status: HTTP status of the answer, where there was one.
        code: code in the API's envelope, where there was one.
        api_message: message in the API's envelope, word for word.
        advice: what to do about it.
    """

    default_advice: ClassVar[str] = ""
    """The `advice` of this kind, where the one who raises it gives none."""

    def __init__(
        self,
        message: str,
        *,
        task_id: str | None = None,
        status: int | None = None,
        code: int | None = None,
        api_message: str | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message)
        self.task_id = task_id
        self.status = status
        self.code = code
        self.api_message = api_message
        self.advice: str = self.default_advice if advice is None else advice

    def __str__(self) -> str:
        known = (
            ("task", self.task_id),
            ("HTTP status", self.status),
            ("code", self.code),
            ("API says", self.api_message),
        )
        details = ", ".join(f"{name}: {value}" for name, value in known if value is not None)
        text = str(self.args[0])
        text = f"{text} ({details})" if details else text
        return f"{text}. {self.advice}" if self.advice else text


def fresh(error: NanoBananaError, task_id: str | None = None) -> NanoBananaError:
    """Return a copy for one more caller, about `task_id`: a raised error collects a traceback."""
    copy = type(error)(str(error.args[0]))
    copy.__dict__.update(error.__dict__)
    copy.__cause__ = error.__cause__
    if notes := getattr(error, "__notes__", None):
        copy.__notes__ = list(notes)
    copy.task_id = task_id or error.task_id
    return copy


@frozen
class FieldFault:
    """One field of a request that breaks a rule of the API."""

    field: str
    """Name of the field, as `ImageRequest` spells it."""
    value: str
    """The offending value, as `repr` shows it, cut when long."""
    allowed: str
    """What is allowed instead."""

    def __str__(self) -> str:
        return f"{self.field}={self.value}: must be {self.allowed}"


class InvalidRequestError(NanoBananaError):
    """The request breaks a rule of the API; it was not accepted and costs nothing.

    Attributes:
        faults: every fault found before sending; empty where the API itself refused the request.
    """

    default_advice = "Mend the request; nothing was paid"

    def __init__(self, message: str, *, faults: Iterable[FieldFault] = (), **known: Any) -> None:
        super().__init__(message, **known)
        self.faults: tuple[FieldFault, ...] = tuple(faults)


class MissingKeyError(NanoBananaError):
    """No API key was given."""


class WrongLoopError(NanoBananaError):
    """The client was used outside the event loop in which it was opened."""


class ClientClosedError(NanoBananaError):
    """The client was closed. With a `task_id`, that task still runs at the API."""

    default_advice = "A task with an id still runs: `client.task(id)` of a new client picks it up"


class ClientCrashedError(NanoBananaError):
    """The client's own machinery failed; `__cause__` says how."""

    default_advice = "This is a defect of the library: please report it with its cause"


class APIConnectionError(NanoBananaError):
    """The API could not be reached, or broke off: `generate` and `submit` were not sent."""

    default_advice = "Check the network, the proxy and base_url"


class APIStatusError(NanoBananaError):
    """The API answered with an error that no subclass describes better."""


class AuthenticationError(APIStatusError):
    """The API does not accept the key (401)."""

    default_advice = "Check the API key (APIXO_API_KEY, or api_key=)"


class PermissionDeniedError(APIStatusError):
    """The content was refused or the key lacks a permission (403)."""

    default_advice = "The API's message tells which: change the prompt, or the key's permissions"


class InsufficientBalanceError(APIStatusError):
    """The account's balance is too low (402)."""

    default_advice = "Top up the account; what was submitted before goes on"


class NotFoundError(APIStatusError):
    """The API knows no such model or endpoint (404)."""

    default_advice = "Check the model's name and base_url"


class RateLimitError(APIStatusError):
    """`balance()` or `status()` was refused for 30 s on end (429)."""

    default_advice = "Something else uses this key's budget; try again later"


class ServerError(APIStatusError):
    """The API is in trouble (5xx) and did not answer `balance()` or `status()` for 30 s."""

    default_advice = "Try again later"


class NotSubmittedError(NanoBananaError):
    """Never sent and not paid for, because the run was stopped; the cause says why."""

    default_advice = "Submit it again once the cause is mended"


class QueueTimeoutError(NanoBananaError, TimeoutError):
    """The time was over before the request was sent: withdrawn, nothing was paid."""

    default_advice = "Give it more time, or send fewer requests at once"


class SubmitUnknownError(NanoBananaError):
    """The submit was sent and its answer was lost: it may have been accepted and paid for.

    It is never sent again unless `resubmit_unknown=True` says that paying twice is acceptable.

    Attributes:
        request: what was submitted, to tell which of many it was.
    """

    request: ImageRequest | None = None

    default_advice = (
        "It may be running and paid for. Look at the account's task list before sending it again"
    )


class TaskError(NanoBananaError):
    """Root of the errors about one accepted task; `task_id` is set."""


class TaskFailedError(TaskError):
    """The API reports that the generation failed.

    Attributes:
        fail_code: the API's failCode, for example ``CONTENT_VIOLATION``; None where it sent none.
        fail_message: the API's failMsg.
        group: ``content``, ``prompt``, ``image``, ``processing``, ``account`` or ``unknown``.
        retryable: True where a new submit, which is a new charge, may succeed unchanged.
    """

    def __init__(
        self,
        message: str,
        *,
        fail_code: str | None = None,
        fail_message: str | None = None,
        group: str = "unknown",
        retryable: bool = False,
        **known: Any,
    ) -> None:
        super().__init__(message, **known)
        self.fail_code = fail_code
        self.fail_message = fail_message
        self.group = group
        self.retryable = retryable


class TaskTimeoutError(TaskError, TimeoutError):
    """The time was over; the task goes on and stays tracked: ``await error.task`` waits on.

    Attributes:
        task: the handle; its id is None while the submit is not answered yet.
    """

    default_advice = "The task goes on: `await error.task` waits for it"

    def __init__(self, message: str, *, task: TaskHandle | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.task = task


class TaskStuckError(TaskError):
    """The task is older than `stuck_after`; its slot is free again, it is looked at now and then."""


class TaskNotFoundError(TaskError):
    """The API does not know this task."""

    default_advice = "Check the id, and that the key is of the account that submitted it"


class ResultUnreadableError(TaskError):
    """The task succeeded, but for 60 s its answer held no readable URL.

    Attributes:
        raw: the answer's `data`, as parsed.
    """

    default_advice = "The picture exists and is paid for: ask the vendor with the task id"

    def __init__(self, message: str, *, raw: Any = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.raw = raw


class DownloadError(NanoBananaError):
    """A picture could not be fetched whole; no broken file is left behind."""

    default_advice = "The picture is paid for; download it again before its URL expires"


class JournalError(NanoBananaError):
    """Root of the errors of the durable record: it cannot be opened, or not be written."""


class JournalInUseError(JournalError):
    """Another client has this journal open."""


class JournalVersionError(JournalError):
    """The journal was written by another version."""


class JournalDamagedError(JournalError):
    """The journal cannot be read whole; the file is left as it is.

    Attributes:
        task_ids: what could be read: by the key of its request, the id of each accepted task.
    """

    def __init__(
        self, message: str, *, task_ids: Mapping[str, str] | None = None, **known: Any
    ) -> None:
        super().__init__(message, **known)
        self.task_ids: dict[str, str] = dict(task_ids or {})


class ServiceTimesError(NanoBananaError):
    """The table of service times does not fit this version."""

    default_advice = "Start without it: service times are learned anew within some hundred tasks"
