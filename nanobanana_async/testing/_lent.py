"""A client that is open while a test function runs, whoever runs it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Final
from unittest import TestCase

import pytest

from nanobanana_async import NanoBananaClient, Polling
from nanobanana_async.testing._emulator_thread import EmulatorThread

# Tasks end within fractions of a second here: the first look comes after half a second, the least
# there is, instead of the 1.7 s that suit the real API.
_PRICE: Final = 0.001

_NOT_ASYNC: Final = (
    "nanobanana_client is for an async test function (and not for one with @given). Here take "
    "nanobanana_emulator, and within: async with NanoBananaClient() as client"
)
_NOT_UNITTEST: Final = (
    "nanobanana_client is for test functions of pytest, not for a unittest.TestCase. Here take "
    '@pytest.mark.usefixtures("nanobanana_emulator"), and within: async with NanoBananaClient() '
    "as client"
)
_NOT_RUN: Final = (
    "nanobanana_client: nothing has run this async test. With pytest-asyncio: mark it "
    '@pytest.mark.asyncio, or set asyncio_mode = "auto"; without: mark it @pytest.mark.anyio'
)
_NOT_ASYNCIO: Final = (
    "nanobanana_client needs asyncio, and another library runs this test. With anyio: let the "
    'fixture anyio_backend return "asyncio"'
)


def new_client(emulator: EmulatorThread, test: object, of: type | None) -> NanoBananaClient:
    """Return a client that has done nothing yet, for the function `test` of the class `of`."""
    # unittest calls the method that it finds by its name, not what a plugin puts in its place.
    if of is not None and issubclass(of, TestCase):
        pytest.fail(_NOT_UNITTEST, pytrace=False)
    if not iscoroutinefunction(test):
        pytest.fail(_NOT_ASYNC, pytrace=False)
    return NanoBananaClient(emulator.api_key, base_url=emulator.url, polling=Polling(price=_PRICE))


@contextmanager
def open_within(item: pytest.Function, client: NanoBananaClient) -> Iterator[None]:
    """Let the item's test function run inside `async with client`."""
    test, has_begun = item.obj, False

    @wraps(test)
    async def with_client(**fixtures: Any) -> None:
        __tracebackhide__ = True
        nonlocal has_begun
        has_begun = True
        _check_loop()
        async with client:
            await test(**fixtures)

    item.obj = with_client
    try:
        yield
    # What pytest itself does with an async test for which there is no plugin.
    except (pytest.fail.Exception, pytest.skip.Exception):
        if has_begun:
            raise
    finally:
        item.obj = test
    if not has_begun:
        raise pytest.fail.Exception(_NOT_RUN, pytrace=False) from None


def _check_loop() -> None:
    __tracebackhide__ = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise pytest.fail.Exception(_NOT_ASYNCIO, pytrace=False) from None
