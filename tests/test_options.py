"""Options that make no sense: each is named, at once, before anything is sent."""

from collections.abc import Callable
from typing import Any

import pytest

from nanobanana_async import MissingKeyError, NanoBananaClient
from nanobanana_async.emulator import MemoryTransport
from tests.emulated import emulated
from tests.memory_journal import MemoryJournal


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("api_key", 5, TypeError),
        ("base_url", 5, TypeError),
        ("base_url", "", ValueError),
        ("model", "banana", ValueError),
        ("limits", 5, TypeError),
        ("polling", "learned", TypeError),
        ("connect_patience", 0, ValueError),
        ("unknown_hold", None, ValueError),
        ("resubmit_unknown", "false", ValueError),
        ("resubmit_unknown", None, ValueError),
        ("private_hosts", "no", ValueError),
        ("private_hosts", 0, ValueError),
        ("session", 5, TypeError),
        ("proxy", 5, ValueError),
        ("ssl", "x", TypeError),
        ("ssl", None, TypeError),
        ("journal", 5, TypeError),
        ("journal", MemoryJournal, TypeError),
        ("webhooks", "https://example.org", TypeError),
        ("telemetry", 5, TypeError),
        ("transport", 5, TypeError),
        ("transport", MemoryTransport, TypeError),
    ],
)
def test_the_constructor_refuses_it(option: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=option):
        NanoBananaClient(**{"api_key": "key", option: value})


def test_an_empty_key_is_not_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's, say: a setting that is not filled in would spend somebody else's money."""
    monkeypatch.setenv("APIXO_API_KEY", "sk-of-another-account")
    with pytest.raises(MissingKeyError):
        NanoBananaClient("")


@pytest.mark.parametrize("value", ["false", "", 0, 1])
async def test_a_second_charge_is_agreed_to_with_true_alone(value: Any) -> None:
    async with emulated() as (client, wire):
        calls: list[Callable[[], Any]] = [
            lambda: client.generate("a cat", resubmit_unknown=value),
            lambda: client.submit("a cat", resubmit_unknown=value),
            lambda: client.generate_many(["a cat"], resubmit_unknown=value),
            lambda: client.generate("a cat", bulk=value),
        ]
        for call in calls:
            with pytest.raises(ValueError, match=r"(resubmit_unknown|bulk) must be True or False"):
                await call()
        assert not wire.calls


async def test_what_is_downloaded_is_a_result() -> None:
    async with emulated() as (client, _):
        url: Any = "http://example.org/a.png"
        for download in (client.download, client.download_all):
            with pytest.raises(TypeError, match="result must be ImageResult, not 'http://"):
                await download(url, "a.png")
