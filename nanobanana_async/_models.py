"""The values that callers hand in and get back. All frozen; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from attrs import field, frozen

__all__ = [
    "RESULT_LIFETIME",
    "ImageRequest",
    "ImageResult",
    "Statistics",
    "TaskHandle",
    "TaskStatus",
]

RESULT_LIFETIME = timedelta(days=15)
"""How long a result's URLs are promised to live (the model's page; another page says 24 hours)."""

_SHOWN_PROMPT = 60


def _as_tuple(urls: Any) -> Any:
    """Lists become tuples; anything else stays as it is, for validation to name."""
    return tuple(urls) if isinstance(urls, list | tuple) else urls


def _upper(resolution: Any) -> Any:
    return resolution.upper() if isinstance(resolution, str) else resolution


def _plain_format(output_format: Any) -> Any:
    """The API takes any of png, jpeg and jpg, and turns jpg into jpeg."""
    if not isinstance(output_format, str):
        return output_format
    return {"jpg": "jpeg"}.get(output_format.lower(), output_format.lower())


def _cut(prompt: Any) -> str:
    """A prompt may be 20,000 characters of somebody's private text: show its beginning only."""
    text = repr(prompt)
    return text if len(text) <= _SHOWN_PROMPT else f"{text[:_SHOWN_PROMPT]}…"


@frozen
class ImageRequest:
    """One picture to be made.

    Building one never raises. The rules of the model are checked when it is submitted, before
    anything is sent, and all faults are named at once. None means: the API's default.
    """

    prompt: str = field(repr=_cut)
    """What to draw: 1 to 20,000 characters (nano-banana: 5,000)."""
    image_urls: tuple[str, ...] = field(default=(), converter=_as_tuple, kw_only=True)
    """Reference images for image-to-image: 1 to 14 URLs (nano-banana: 5)."""
    mode: Literal["text-to-image", "image-to-image"] | None = field(default=None, kw_only=True)
    """Follows from `image_urls` when None."""
    aspect_ratio: str | None = field(default=None, kw_only=True)
    """Width to height, for example ``3:2``; ``auto`` when None."""
    resolution: str | None = field(default=None, converter=_upper, kw_only=True)
    """``1K`` (when None), ``2K`` or ``4K``, in any case. nano-banana has no such setting."""
    output_format: str | None = field(default=None, converter=_plain_format, kw_only=True)
    """``png`` (when None) or ``jpeg``; ``jpg`` is the same as ``jpeg``."""
    google_search: bool = field(default=False, kw_only=True)
    """Let the model search for context, where the provider can."""
    provider: Literal["auto", "value", "official"] | None = field(default=None, kw_only=True)
    """Routing strategy; ``auto`` when None."""
    model: str | None = field(default=None, kw_only=True)
    """The client's model when None."""
    callback_url: str | None = field(default=None, kw_only=True, repr=False)
    """Public HTTPS URL that the API posts the end of the task to. The task is looked at as well."""
    key: str | None = field(default=None, kw_only=True)
    """Your own name for this request; handed back with the outcome, never sent."""
    extra: Mapping[str, Any] = field(factory=dict, kw_only=True, hash=False)
    """Merged into the request's `input` unchecked: for what the vendor adds later."""


@frozen(kw_only=True)
class TaskStatus:
    """What the API says of a task at one look."""

    task_id: str
    """The API's id."""
    state: str
    """``pending``, ``processing``, ``success``, ``failed``; another text is an unfinished task."""
    urls: tuple[str, ...] = ()
    """Where the pictures are; filled in once the task succeeded."""
    fail_code: str | None = None
    """The API's failCode, for example ``CONTENT_VIOLATION``; None where it sent none."""
    fail_message: str | None = None
    """The API's failMsg, word for word; None where it sent none."""
    created_at: datetime | None = None
    """When the API accepted the task, by the API's clock."""
    completed_at: datetime | None = None
    """When the task ended, by the API's clock."""
    processing_time: float | None = None
    """The API's costTime, in seconds."""
    raw: Any = field(default=None, repr=False, eq=False)
    """The answer's `data`, as parsed."""

    @property
    def finished(self) -> bool:
        """True where the task will not change any more."""
        return self.state in ("success", "failed")

    @property
    def service_time(self) -> float | None:
        """Seconds from acceptance to the end, by the API's clock; None if missing or reversed."""
        if self.created_at is None or self.completed_at is None:
            return None
        seconds = (self.completed_at - self.created_at).total_seconds()
        return seconds if seconds >= 0 else None


@frozen(kw_only=True)
class ImageResult:
    """A finished generation. Download it at once: the URLs do not live for ever."""

    task_id: str
    """The API's id."""
    urls: tuple[str, ...]
    """Where the pictures are, at least one."""
    created_at: datetime | None
    """When the API accepted the task (aware); None where the API did not say."""
    completed_at: datetime | None
    """When the task ended (aware); None where the API did not say."""
    processing_time: float | None
    """The API's costTime, in seconds."""
    request: ImageRequest | None
    """The request as it was submitted; None for a task picked up by its id."""

    @property
    def expires_at(self) -> datetime | None:
        """Until when the URLs are promised to work: 15 days (one page of the vendor: 24 hours)."""
        try:
            return None if self.completed_at is None else self.completed_at + RESULT_LIFETIME
        except OverflowError:
            return None


class TaskHandle(Protocol):
    """What a `Task` offers to whoever gets it from an error; each as `Task` says.

    Whoever implements it owes, in a test for example, that any number of callers can wait, and that
    one who is cancelled disturbs no other.
    """

    @property
    def id(self) -> str | None:
        """The API's id; None only while the submit is not answered yet."""
        ...

    def __await__(self) -> Generator[Any, None, ImageResult]:
        """Wait for the end of the task, as `result` does."""
        ...

    async def result(self, timeout: float | None = None) -> ImageResult:  # noqa: ASYNC109
        """Wait for the end of the task, for `timeout` seconds at most (None: as long as it takes).

        Cancelled, this wait alone ends.

        Raises:
            TaskTimeoutError: the time is over, the task goes on.
            NanoBananaError: what became of it instead of a picture.
        """
        ...

    async def status(self) -> TaskStatus:
        """Look at the task now. Cancelled, the look is made all the same.

        Raises:
            NanoBananaError: it could not be looked at, or ended without a status.
        """
        ...


@frozen(kw_only=True)
class Statistics:
    """A client at one moment. Counts are since the client was opened."""

    queued: int
    """Calls whose submit has not been sent."""
    queued_bulk: int
    """Of these, the bulk ones, which stand behind the others."""
    submitting: int
    """Submits under way: sent and not answered yet."""
    in_flight: int
    """Accepted tasks that were not seen finished yet, adopted ones included."""
    slots_left: int
    """Tasks that could be submitted right now."""
    slots_unknown: int
    """Slots held by submits whose answer was lost, which may be running."""
    slots_in_force: int
    """Slots that the API grants at the moment: the limit, or fewer after refusals."""
    tokens_left: int
    """Requests that the last 60 seconds leave room for."""
    rate_in_force: int
    """Requests a minute that the client keeps to: the limit, or fewer after refusals."""
    submits: int
    """Submits sent."""
    checks: int
    """Status checks sent."""
    other_requests: int
    """Requests sent for `balance()`, and to tell what a refusal meant."""
    refusals: int
    """Answers 429."""
    accepted: int
    """Submits that the API accepted."""
    succeeded: int
    """Tasks that ended in pictures."""
    failed: int
    """Tasks that ended in an error."""
    unknown: int
    """Submits whose answer was lost, and that no delivery found."""
    found: int
    """Submits whose answer was lost, or had not come yet, when a delivery told of the task."""
    paid_twice: int
    """Tasks that were accepted and delivered though their request has another one."""
    deliveries: int
    """Webhook deliveries that were taken, repeated ones included."""
    deliveries_refused: int
    """Those that were refused: forged, over, or unreadable."""
    checks_per_task: float
    """Status checks for each finished task, mean; 0 before the first."""
    mean_lag: float
    """Seconds from a task's end to the look that saw it, mean; 0 before the first."""
    mean_service_time: float
    """Seconds from a task's acceptance to its end, by the API's clock: the mean over some 200 that
    ended last; 0 before the first."""
    completions_per_second: float
    """Tasks seen finished a second, over the last minute (or since the opening, if later)."""
