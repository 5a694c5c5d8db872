"""What the server saw, as a snapshot."""

from collections.abc import Mapping, Sequence

from attrs import frozen


@frozen(kw_only=True)
class Ledger:
    """The emulator's figures at one moment; `attrs.asdict` makes it fit for JSON.

    Times and lags are seconds. Picture downloads are not API requests and count in no window.
    With `Settings.keep_ledger` off, what grows with the number of tasks stays empty: `accepted_at`,
    `service_times`, `lags`, `task_ids`, `told_at`, `callbacks_lost`, `accepted_by_prompt`,
    `accepted_twice` and `unheard_prompts`.
    """

    requests: Mapping[str, int]
    """Requests that arrived, by kind: submit, check, balance, download."""
    refused: Mapping[str, int]
    """Answers 429 by reason: rate, concurrency, fault. A code 429 in an answer 200 counts as well."""
    fullest_window: int
    """Most API requests, refused ones included, in any 60 s."""
    fullest_fixed_window: int
    """Most API requests in any 60 s that begin at `window_offset` plus whole minutes."""
    accepted: int
    """Tasks accepted."""
    accepted_unheard: int
    """Of these, the ones whose true answer was not sent: by a fault `lost`, or one `_after`."""
    accepted_at: Sequence[float]
    """When each of the accepted was, in order: seconds from the core's beginning."""
    service_times: Sequence[float]
    """Seconds that each of them takes until its end, in the same order."""
    lags: Sequence[float | None]
    """Seconds from the end of each of them to the first status answer that showed it, in the same
    order; None where none did."""
    task_ids: Sequence[str]
    """The id of each of them, in the same order."""
    told_at: Sequence[float | None]
    """Seconds from the end of each of them to the first answer 200 to a delivery that told it, in the
    same order; None where there was none. Deliveries of progress tell no end."""
    callbacks_lost: Sequence[int]
    """The places in that order of tasks whose end no delivery will ever tell: by the fault
    `callback_lost`, from their acceptance on; or all four tries failed."""
    accepted_by_prompt: Mapping[str, int]
    """Accepted tasks of each prompt."""
    accepted_twice: Mapping[str, int]
    """The same, only prompts that were accepted more than once."""
    unheard_prompts: Sequence[str]
    """The prompts of `accepted_unheard`, in order, one entry each time."""
    running: int
    """Tasks that run now."""
    most_tasks: int
    """Most tasks that ran at once."""
    finished_seen: int
    """Tasks that a status answer has shown finished."""
    checks_per_task: float
    """Mean status requests of a task that was seen finished, those after that included."""
    mean_lag: float
    """Seconds from a task's real end to the first status answer that showed it, mean."""
    longest_lag: float
    """The largest of these lags, in seconds."""
    downloads: int
    """Pictures handed out."""
    keys_leaked: int
    """Picture requests that carried an Authorization header: each is a client's defect."""
    faults: Mapping[str, int]
    """Faults injected, by name; those of a task's callback count from its acceptance on."""
    callbacks_delivered: int
    """Deliveries that were answered 200 in time; those that come twice or tell progress count."""
    callbacks_failed: int
    """Deliveries that were not, or were lost on their way; a task can have up to four."""
