"""The reference shows signatures as a user reads them."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sphinx.util.inspect import signature, signature_from_str, stringify_signature

from nanobanana_async import (
    GenerateMany,
    ImageRequest,
    Limits,
    NanoBananaClient,
    Resumption,
    Storage,
    Task,
    WebhookReceiver,
)
from nanobanana_async.bulk.report import write_report

EXTENSIONS = Path(__file__).parent.parent / "docs" / "_sphinx"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The extension that decides it."""
    monkeypatch.syspath_prepend(EXTENSIONS)
    return import_module("public_names")


def callables() -> Iterator[Callable[..., Any]]:
    yield write_report
    yield from (
        each for name, each in vars(NanoBananaClient).items() if name[0] != "_" and callable(each)
    )


def test_what_is_shown_is_python(names: Any) -> None:
    for each in callables():
        shown = names.readable(stringify_signature(signature(each), unqualified_typehints=True))
        assert "_Unset" not in shown
        signature_from_str(shown.replace("~", ""))  # Sphinx reads it so, and links it


def test_the_clients_default_is_left_open(names: Any) -> None:
    raw = "(timeout: float | ~nanobanana_async._client._Unset | None = <the client's>, n: int = 1)"
    assert names.readable(raw) == "(timeout: float | None = ..., n: int = 1)"


@pytest.mark.parametrize("thing", [GenerateMany, Resumption, Task, WebhookReceiver, Storage])
def test_how_it_is_made_is_not_shown_of_what_users_do_not_make(names: Any, thing: type) -> None:
    assert not names.is_made_by_users(thing)


@pytest.mark.parametrize("thing", [ImageRequest, Limits, NanoBananaClient])
def test_how_it_is_made_is_shown_of_the_others(names: Any, thing: type) -> None:
    assert names.is_made_by_users(thing)
