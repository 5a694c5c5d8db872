"""What `Webhooks` takes, field by field."""

from typing import Any

import pytest
from attrs import evolve

from nanobanana_async import NanoBananaClient, Webhooks
from tests.hooked import HOOKS

GOOD: dict[str, Any] = {"public_url": "https://example.org/hooks/", "secret": "0123456789abcdef"}


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("public_url", None, TypeError),
        ("public_url", b"https://example.org", TypeError),
        ("public_url", "", ValueError),
        ("public_url", "example.org/hooks", ValueError),
        ("public_url", "ftp://example.org", ValueError),
        ("public_url", "https://", ValueError),
        ("public_url", "https://example.org:port/", ValueError),
        ("public_url", "https://me:mine@example.org/", ValueError),
        ("public_url", "https://example.org/?x=1", ValueError),
        ("public_url", "https://example.org/#x", ValueError),
        ("public_url", "https://example.org/a b", ValueError),
        ("public_url", "https://example.org/ü", ValueError),
        ("secret", "0123456789abcde", ValueError),
        ("secret", None, TypeError),
        ("secret", 16, TypeError),
        ("unknown_patience", 0, ValueError),
        ("unknown_patience", 86_401, ValueError),
        ("unknown_patience", float("nan"), ValueError),
        ("unknown_patience", True, ValueError),
        ("unknown_patience", "180", ValueError),
        ("confirm", "no", ValueError),
        ("relay", "redis://", TypeError),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(
    field: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=field) as caught:
        Webhooks(**GOOD | {field: value})
    assert "mine" not in str(caught.value)


def test_what_makes_sense_is_taken() -> None:
    hooks = Webhooks(**GOOD, unknown_patience=86_400)
    assert hooks.public_url == "https://example.org/hooks"
    assert hooks.secret == b"0123456789abcdef"


async def test_plain_http_is_for_an_api_on_this_machine_only() -> None:
    shouted = evolve(HOOKS, public_url="HTTP://example.org/hooks")
    for plain in (HOOKS, shouted):
        with pytest.raises(ValueError, match="public_url must be https"):
            NanoBananaClient("key", base_url="https://api.example.org", webhooks=plain)
    await NanoBananaClient("key", base_url="http://127.0.0.1:1", webhooks=HOOKS).aclose()


def test_a_client_takes_webhooks_and_nothing_else() -> None:
    url: Any = "https://example.org/hooks"
    with pytest.raises(TypeError, match="webhooks must be Webhooks, not str"):
        NanoBananaClient("key", webhooks=url)
