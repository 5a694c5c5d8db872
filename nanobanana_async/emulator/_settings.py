"""What an emulator can be told."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal, TypedDict

from attrs import Attribute, field, frozen
from attrs.validators import ge, gt, in_, min_len, optional

from nanobanana_async.emulator._faults import check_faults
from nanobanana_async.emulator._service import TYPICAL, ServiceModel

WindowKind = Literal["sliding", "fixed", "bucket"]

_DAY: Final = 86_400.0


def _known_faults(
    _: object, __: "Attribute[Mapping[str, float]]", faults: Mapping[str, float]
) -> None:
    check_faults(faults)


def _names(fields: Iterable[str]) -> frozenset[str]:
    return frozenset(fields)


@frozen(kw_only=True)
class Settings:
    """How an emulated account and its server behave. All keywords, all with a default."""

    api_key: str = field(default="sk-emulator", validator=min_len(1))
    """The only key that is let in."""
    seed: int = 0
    """The same seed, the same service times and faults; task ids depend on the epoch as well."""
    speed: float = field(default=1.0, validator=gt(0.0))
    """Divides service times, callback delays and the results' lifetime, never limits or stamps."""
    requests_per_minute: int = field(default=10_000, validator=ge(1))
    """Submits, checks and balance requests together."""
    concurrent_tasks: int = field(default=1_000, validator=ge(1))
    """Tasks that have been accepted and have not ended."""
    window: WindowKind = field(default="sliding", validator=in_(("sliding", "fixed", "bucket")))
    """How the minute is counted; a bucket holds a minute's requests and fills continuously."""
    window_offset: float = 0.0
    """Seconds at which one of the fixed windows begins."""
    count_refused: bool = True
    """Whether a request that the rate limit refuses counts against it all the same."""
    service: ServiceModel = TYPICAL
    """Service times and failures."""
    faults: Mapping[str, float] = field(factory=dict, validator=_known_faults)
    """Probability by name, such as `{"submit_lost": 0.01}`; see `_faults.py`."""
    balance: float | None = field(default=None, validator=optional(ge(0.0)))
    """What the account holds; None is unlimited."""
    price: float = field(default=0.04, validator=ge(0.0))
    """What each accepted submit takes from the balance."""
    pictures: int = field(default=1, validator=ge(1))
    """Result URLs of each successful task."""
    result_lifetime: float = field(default=15 * _DAY, validator=gt(0.0))
    """Seconds from a task's end to the end of its pictures."""
    full_size: bool = False
    """Draw 1,024, 2,048 or 4,096 pixels for 1K, 2K and 4K, instead of 256."""
    latency: float = field(default=0.0, validator=ge(0.0))
    """Seconds from the work on a request to its answer's leaving."""
    extra_fields: Collection[str] = field(default=(), converter=_names)
    """Fields of `input` that are let in, unread, beside the documented ones."""


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
    balance: float | None
    price: float
    pictures: int
    result_lifetime: float
    full_size: bool
    latency: float
    extra_fields: Collection[str]
