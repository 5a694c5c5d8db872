"""Money of a run: what may be spent, and what is."""

from __future__ import annotations

from decimal import Decimal

from attrs import define, field

from nanobanana_async._models import ImageRequest
from nanobanana_async.bulk._prices import Prices

__all__ = ["Budget"]


@define
class Budget:
    """Charges are made before a row is handed to the client, so the limit is never exceeded."""

    prices: Prices | None
    limit: Decimal | None
    model: str
    spent: Decimal = field(default=Decimal(0), init=False)
    """What was paid or may have been, and what is about to be."""
    reached: bool = field(default=False, init=False)
    """True once a row was left out for it."""

    def charge(self, request: ImageRequest) -> bool:
        """Set its price aside; False where the limit does not allow it."""
        price = self._price(request)
        if self.limit is not None and self.spent + price > self.limit:
            self.reached = True
            return False
        self.spent += price
        return True

    def spend(self, request: ImageRequest, times: int = 1) -> None:
        """It was paid for before, or may have been."""
        self.spent += self._price(request) * times

    def refund(self, request: ImageRequest) -> None:
        """It was certainly not accepted."""
        self.spent -= self._price(request)

    def _price(self, request: ImageRequest) -> Decimal:
        return self.prices.of(request, self.model) if self.prices else Decimal(0)
