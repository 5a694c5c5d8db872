"""What a bulk run can be told."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from attrs import Attribute, field, frozen
from attrs.converters import optional as or_none
from attrs.validators import ge, in_, optional

from nanobanana_async._specs import DEFAULT_MODEL
from nanobanana_async.bulk._prices import Prices
from nanobanana_async.bulk._rows import FORMATS, Format

__all__ = ["BulkSettings"]


def _with_prices(settings: Any, _: Attribute[Any], budget: Decimal | None) -> None:
    if budget is not None and settings.prices is None:
        raise ValueError("a budget needs a price: say what a picture costs")
    if budget is not None and not (budget.is_finite() and budget >= 0):
        raise ValueError(f"budget must be an amount of money, not {budget}")


@frozen(kw_only=True)
class BulkSettings:
    """How a bulk run reads its rows, what it may spend, and what it keeps.

    `ValueError` for what makes no sense, such as a budget without prices.
    """

    format: Format | None = field(default=None, validator=optional(in_(FORMATS)))
    """What the input holds; by its ending when None, and text for standard input."""
    model: str = DEFAULT_MODEL
    """The model of rows that name none."""
    defaults: Mapping[str, Any] = field(factory=dict)
    """`ImageRequest`'s fields for rows that do not give them."""
    skip_invalid: bool = False
    """Leave rows out that break a rule, and list them in rejected.jsonl."""
    accept_changed: bool = False
    """Go on though the input has changed: rows are known by their keys."""
    retry_failed: bool = False
    """Submit rows anew whose task failed; each is a new charge."""
    retry_unknown: bool = False
    """Submit rows anew of which nobody knows what became of them; each may be paid for twice."""
    attempts: int = field(default=1, validator=ge(1))
    """Submits a row at most, where the API's failure may not come again; each is a charge."""
    prices: Prices | None = None
    """What pictures cost, since the API does not tell; None: money is not counted."""
    budget: Decimal | None = field(default=None, converter=or_none(Decimal), validator=_with_prices)
    """Nothing is submitted that would make the whole run, earlier ones in the folder included,
    cost more; failed and unknown submits count."""
    download_concurrency: int = field(default=16, validator=ge(1))
    """Rows whose pictures are downloaded at once."""
    metadata: Literal["none", "sidecar"] = field(default="none", validator=in_(("none", "sidecar")))
    """``sidecar`` puts a JSON file with prompt, parameters and task id beside each picture."""
    report: bool = True
    """Write report.html at the end."""
