"""The account's balance."""

from typing import Final


class Wallet:
    """Pays for submits. Counted in millionths: .12 pays three times .04, as floats do not."""

    _UNIT: Final = 1_000_000

    def __init__(self, balance: float | None, price: float) -> None:
        """None is an unlimited balance."""
        self._left = None if balance is None else round(balance * self._UNIT)
        self._price = round(price * self._UNIT)

    @property
    def left(self) -> float | None:
        """What is left; None is unlimited."""
        return None if self._left is None else self._left / self._UNIT

    def suffices(self) -> bool:
        """Tell whether one more submit can be paid."""
        return self._left is None or self._left >= self._price

    def pay(self) -> None:
        """Take the price of a submit, which `suffices` has allowed."""
        if self._left is not None:
            self._left -= self._price
