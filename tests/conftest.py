"""Which loop a test runs on, and that every run is the same."""

import asyncio
import random
from collections.abc import Callable, Mapping

import pytest

from nanobanana_async.emulator import VirtualTimeLoop

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    """The jitter of waits is drawn from a generator that the global one seeds."""
    random.seed(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that nothing long is left for the end."""
    items.sort(key=lambda item: item.get_closest_marker("takes_long") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests marked `virtual_time` never wait; the others have an ordinary loop."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}
