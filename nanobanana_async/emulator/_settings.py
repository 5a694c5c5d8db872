"""What an emulator can be told."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal, TypedDict

from attrs import Attribute, field, frozen
from attrs.validators import and_, optional

from nanobanana_async.emulator._checks import (
    A_WHILE,
    ABOVE_0,
    FLAG,
    FROM_0,
    NUMBER,
    is_list,
    is_number,
    list_of,
    must_be,
    whole_from,
)
from nanobanana_async.emulator._clock import check_jumps
from nanobanana_async.emulator._episodes import Episode
from nanobanana_async.emulator._faults import check_faults
from nanobanana_async.emulator._limits import LimitChange
from nanobanana_async.emulator._service import A_MODEL, TYPICAL, ServiceModel

WindowKind = Literal["sliding", "fixed", "bucket"]

_DAY: Final = 86_400.0

_KEY: Final = must_be(
    "a text, not an empty one", lambda value: isinstance(value, str) and value != ""
)
_WHOLE: Final = must_be("a whole number", lambda value: type(value) is int)
_WINDOW: Final = must_be(
    "sliding, fixed or bucket", lambda value: value in ("sliding", "fixed", "bucket")
)


def _is_jump(value: Any) -> bool:
    match value:
        case (time, offset):
            return is_number(time) and is_number(offset)
    return False


def _has_names(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


_PROBABILITIES: Final = must_be('probabilities by name, such as {"submit_lost": 0.01}', _has_names)
_JUMPS: Final = must_be(
    "a list of (time, offset), both numbers", lambda value: is_list(value, _is_jump)
)


def _known_faults(
    _: object, __: "Attribute[Mapping[str, float]]", faults: Mapping[str, float]
) -> None:
    check_faults(faults)


def _rising(
    _: object,
    __: "Attribute[Sequence[tuple[float, float]]]",
    jumps: Sequence[tuple[float, float]],
) -> None:
    check_jumps(jumps)


def _names(fields: Collection[str]) -> frozenset[str]:
    # Not a validator's work: as a set, a text would be its letters.
    are_names = isinstance(fields, Collection) and all(isinstance(name, str) for name in fields)
    if isinstance(fields, str) or not are_names:
        raise ValueError(f"extra_fields must be a list of names, not {fields!r}")
    return frozenset(fields)


@frozen(kw_only=True)
class Settings:
    """How an emulated account and its server behave. All keywords, all with a default.

    `ValueError` for what cannot be.
    """

    api_key: str = field(default="sk-emulator", validator=_KEY)
    """The only key that is let in."""
    seed: int = field(default=0, validator=_WHOLE)
    """The same seed, the same service times and faults; task ids depend on the epoch as well."""
    speed: float = field(default=1.0, validator=ABOVE_0)
    """Divides service times, callback delays, `result_lifetime` and `forget_after`, nothing else."""
    requests_per_minute: int = field(default=10_000, validator=whole_from(1))
    """Requests a minute: submits, checks and balance requests together."""
    concurrent_tasks: int = field(default=1_000, validator=whole_from(1))
    """Tasks that have been accepted and have not ended."""
    window: WindowKind = field(default="sliding", validator=_WINDOW)
    """How the minute is counted; a bucket holds a minute's requests and fills continuously."""
    window_offset: float = field(default=0.0, validator=NUMBER)
    """Seconds at which one of the fixed windows begins."""
    count_refused: bool = field(default=True, validator=FLAG)
    """Whether a request that the rate limit refuses counts against it all the same."""
    service: ServiceModel = field(default=TYPICAL, validator=A_MODEL)
    """Service times and failures."""
    faults: Mapping[str, float] = field(factory=dict, validator=and_(_PROBABILITIES, _known_faults))
    """Probability by name, such as `{"submit_lost": 0.01}`; howto/testing.md lists the names."""
    episodes: Sequence[Episode] = field(default=(), validator=list_of(Episode))
    """Faults that come at a time of their own; at that time they come before those of `faults`."""
    slow_seconds: float = field(default=10.0, validator=ABOVE_0)
    """Seconds by which an answer with the fault `slow` leaves later."""
    limit_changes: Sequence[LimitChange] = field(default=(), validator=list_of(LimitChange))
    """For a while, other limits than the account's; where they overlap, the one listed later."""
    freed_late: float = field(default=0.0, validator=FROM_0)
    """Seconds from a task's end to the moment when its place is free."""
    clock_offset: float = field(default=0.0, validator=NUMBER)
    """Seconds that the server's clock (stamps and `date` headers) is ahead of the truth."""
    clock_jumps: Sequence[tuple[float, float]] = field(default=(), validator=and_(_JUMPS, _rising))
    """(time, offset), both in seconds: from that time of the core on, this is the offset."""
    balance: float | None = field(default=None, validator=optional(FROM_0))
    """What the account holds; None is unlimited."""
    price: float = field(default=0.04, validator=FROM_0)
    """What each accepted submit takes from the balance."""
    pictures: int = field(default=1, validator=whole_from(1))
    """Result URLs of each successful task."""
    result_lifetime: float = field(default=15 * _DAY, validator=A_WHILE)
    """Seconds from a task's end to the end of its pictures."""
    forget_after: float | None = field(default=None, validator=optional(ABOVE_0))
    """Seconds from a task's end until the API knows neither it nor its pictures; None is never."""
    keep_ledger: bool = field(default=True, validator=FLAG)
    """False: the ledger has only what does not grow with the number of tasks."""
    full_size: bool = field(default=False, validator=FLAG)
    """Draw 1,024, 2,048 or 4,096 pixels for 1K, 2K and 4K, instead of 256."""
    latency: float = field(default=0.0, validator=FROM_0)
    """Seconds from the work on a request to its answer's leaving."""
    extra_fields: Collection[str] = field(default=(), converter=_names)
    """Fields of `input` that are let in, unread, beside the documented ones."""
    data_urls: bool = field(default=False, validator=FLAG)
    """Let `data:` URLs in as reference images, which the vendor does not document."""


class SettingsKeywords(TypedDict, total=False):
    """The fields of `Settings`, for functions that hand them on."""

    api_key: str
    seed: int
    speed: float
    requests_per_minute: int
    concurrent_tasks: int
    window: WindowKind
    window_offset: float
    count_refused: bool
    service: ServiceModel
    faults: Mapping[str, float]
    episodes: Sequence[Episode]
    slow_seconds: float
    limit_changes: Sequence[LimitChange]
    freed_late: float
    clock_offset: float
    clock_jumps: Sequence[tuple[float, float]]
    balance: float | None
    price: float
    pictures: int
    result_lifetime: float
    forget_after: float | None
    keep_ledger: bool
    full_size: bool
    latency: float
    extra_fields: Collection[str]
    data_urls: bool
