"""All that the package exports. `nanobanana_async` itself imports this when a name is first used."""

from nanobanana_async._client import NanoBananaClient, RequestFields
from nanobanana_async._deliveries import WebhookReceiver
from nanobanana_async._errors import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    ClientClosedError,
    ClientCrashedError,
    DownloadError,
    FieldFault,
    InsufficientBalanceError,
    InvalidRequestError,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalVersionError,
    MissingKeyError,
    NanoBananaError,
    NotFoundError,
    NotSubmittedError,
    PermissionDeniedError,
    QueueTimeoutError,
    RateLimitError,
    ResultUnreadableError,
    ServerError,
    ServiceTimesError,
    SubmitUnknownError,
    TaskError,
    TaskFailedError,
    TaskNotFoundError,
    TaskStuckError,
    TaskTimeoutError,
    WrongLoopError,
)
from nanobanana_async._journal import Journal, Kind, Record
from nanobanana_async._limits import Limits
from nanobanana_async._many import GenerateMany
from nanobanana_async._models import ImageRequest, ImageResult, Statistics, TaskHandle, TaskStatus
from nanobanana_async._outcome import Outcome
from nanobanana_async._picture import Picture
from nanobanana_async._polling import Polling
from nanobanana_async._relay import LocalRelay
from nanobanana_async._resume import Resumption
from nanobanana_async._service_times import ClassTimes, ServiceTimes
from nanobanana_async._specs import MODELS, ModelSpec
from nanobanana_async._sqlite_journal import SqliteJournal
from nanobanana_async._storage import LocalFolder, Sink, Storage
from nanobanana_async._task import Task
from nanobanana_async._version import __version__
from nanobanana_async._webhooks import DeliveryRelay, Webhooks

__all__ = [
    "MODELS",
    "APIConnectionError",
    "APIStatusError",
    "AuthenticationError",
    "ClassTimes",
    "ClientClosedError",
    "ClientCrashedError",
    "DeliveryRelay",
    "DownloadError",
    "FieldFault",
    "GenerateMany",
    "ImageRequest",
    "ImageResult",
    "InsufficientBalanceError",
    "InvalidRequestError",
    "Journal",
    "JournalDamagedError",
    "JournalError",
    "JournalInUseError",
    "JournalVersionError",
    "Kind",
    "Limits",
    "LocalFolder",
    "LocalRelay",
    "MissingKeyError",
    "ModelSpec",
    "NanoBananaClient",
    "NanoBananaError",
    "NotFoundError",
    "NotSubmittedError",
    "Outcome",
    "PermissionDeniedError",
    "Picture",
    "Polling",
    "QueueTimeoutError",
    "RateLimitError",
    "Record",
    "RequestFields",
    "ResultUnreadableError",
    "Resumption",
    "ServerError",
    "ServiceTimes",
    "ServiceTimesError",
    "Sink",
    "SqliteJournal",
    "Statistics",
    "Storage",
    "SubmitUnknownError",
    "Task",
    "TaskError",
    "TaskFailedError",
    "TaskHandle",
    "TaskNotFoundError",
    "TaskStatus",
    "TaskStuckError",
    "TaskTimeoutError",
    "WebhookReceiver",
    "Webhooks",
    "WrongLoopError",
    "__version__",
]

# A traceback names what a user can import: nanobanana_async.TaskFailedError. Errors only: the
# annotations of other classes are looked up where they were written.
for _name in __all__:
    _thing = globals()[_name]
    if isinstance(_thing, type) and issubclass(_thing, Exception):
        _thing.__module__ = "nanobanana_async"
del _name, _thing
