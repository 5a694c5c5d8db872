"""Prices as they are typed."""

from decimal import Decimal

import pytest

from nanobanana_async import ImageRequest
from nanobanana_async.bulk import InputError, Prices

MODEL = "nano-banana-2"


def price(text: str, resolution: str | None = None, model: str = MODEL) -> Decimal:
    return Prices.parse(text).of(ImageRequest("", resolution=resolution), model)


def test_one_price_is_that_of_every_picture() -> None:
    for resolution in (None, "1K", "4K"):
        assert price("0.04", resolution) == Decimal("0.04")
    assert price(" 0.04 ", model="nano-banana") == Decimal("0.04")


def test_prices_by_resolution() -> None:
    text = "1k=0.04, 2K = 0.06,4K=0"
    assert [price(text, one) for one in (None, "1K", "2k", "4K")] == [
        Decimal("0.04"),
        Decimal("0.04"),
        Decimal("0.06"),
        Decimal(0),
    ]


def test_a_model_of_the_row_counts() -> None:
    request = ImageRequest("", model="nano-banana")
    with pytest.raises(InputError, match="No price is given for nano-banana"):
        Prices.parse("1K=1").of(request, MODEL)


@pytest.mark.parametrize("resolution", ["2K", "9K", ["x"]])
def test_what_has_no_price_is_named(resolution: str) -> None:
    with pytest.raises(InputError, match="No price is given for") as caught:
        price("1K=1", resolution)
    assert str(resolution) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "x",
        "1K=",
        "=1",
        "8K=1",
        "1K=1,1K=2",
        "1,1K=2",
        "0.04,",
        "-1",
        "nan",
        "inf",
        "1K",
        "1e999999",
        "1e-12",
        "0x1",
        "sNaN",
    ],
)
def test_what_is_no_price(text: str) -> None:
    with pytest.raises(ValueError, match=r"no price|no resolution|twice"):
        Prices.parse(text)
