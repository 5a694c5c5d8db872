"""The pytest plugin: an emulator and a client for tests, and a mark that says what goes wrong.

It is loaded in every test run of a project that has the package. So it imports nothing of it, or of
anything else, before a test asks for a fixture; and no test that asks for none is changed, unless
the project sets the option `nanobanana_offline`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, cast

import pytest

if TYPE_CHECKING:
    from nanobanana_async import NanoBananaClient
    from nanobanana_async.testing import EmulatorThread

_CLIENT: Final = pytest.StashKey["NanoBananaClient"]()
_IS_OFFLINE: Final = pytest.StashKey[bool]()
_IS_MARKED: Final = pytest.StashKey[bool]()
_HAS_EMULATOR: Final = pytest.StashKey[bool]()

_NO_PILLOW: Final = (
    "nanobanana_emulator draws pictures with Pillow: pip install 'nanobanana-async[emulator]'"
)
_MARKED_FOR_NOTHING: Final = (
    "@pytest.mark.nanobanana does nothing here: this test does not use the fixture "
    "nanobanana_emulator. An EmulatorThread of your own takes the keywords itself"
)
# The client refuses such an address at once, and shows it.
_NOWHERE: Final = (
    "http://offline.invalid/#nanobanana_offline-is-on,-so-take-the-fixture-nanobanana_emulator"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the option known."""
    parser.addini(
        "nanobanana_offline",
        "NanoBananaClient() fails at once, wherever it is made, unless nanobanana_emulator or a "
        "fixture of your own has set APIXO_BASE_URL.",
        type="bool",
        default=False,
    )


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Go offline before any conftest is imported, or a test."""
    _go_offline(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    _go_offline(config)  # where the plugin was loaded later, as by a conftest
    config.addinivalue_line(
        "markers",
        "nanobanana(faults={...}, service=..., speed=100, ...): how the emulator of the fixtures "
        "nanobanana_emulator and nanobanana_client behaves in this test; keywords are the fields "
        "of nanobanana_async.emulator.Settings.",
    )


def _go_offline(config: pytest.Config) -> None:
    if config.stash.get(_IS_OFFLINE, False) or not config.getini("nanobanana_offline"):
        return
    config.stash[_IS_OFFLINE] = True
    environment = pytest.MonkeyPatch()
    config.add_cleanup(environment.undo)
    environment.delenv("APIXO_API_KEY", raising=False)
    environment.setenv("APIXO_BASE_URL", _NOWHERE)


@pytest.fixture
def nanobanana_emulator(request: pytest.FixtureRequest) -> Iterator[EmulatorThread]:
    """An emulator of the image API, a new one for each test: `url`, `api_key`, `ledger()`.
    APIXO_API_KEY and APIXO_BASE_URL lead to it, so that a NanoBananaClient() that the code under
    test makes talks to it and never to the real API. @pytest.mark.nanobanana(...) says how it
    behaves.
    """
    if find_spec("PIL") is None:
        pytest.fail(_NO_PILLOW, pytrace=False)
    from nanobanana_async.testing import EmulatorThread  # noqa: PLC0415 - not before it is used
    from nanobanana_async.testing._marks import MarkError, settings_from  # noqa: PLC0415 - likewise

    try:
        settings = settings_from(request.node.iter_markers("nanobanana"))
    except MarkError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    request.node.stash[_HAS_EMULATOR] = True
    # Not the fixture `monkeypatch`: a test may undo that one half-way.
    with EmulatorThread(**settings) as emulator, pytest.MonkeyPatch.context() as environment:
        environment.setenv("APIXO_API_KEY", emulator.api_key)
        environment.setenv("APIXO_BASE_URL", emulator.url)
        yield emulator


# Not an async fixture. Who runs one differs: anyio those of its own tests alone, pytest-asyncio in
# strict mode those of its own decorator alone, and nobody without either. In pytest-asyncio the
# loop of a fixture need not be that of the test either (`loop_scope`), and a client lives in one
# loop. So the fixture makes a client that has done nothing yet, and `pytest_runtest_call` puts the
# test function itself into `async with`: whoever runs the test runs that, too, in the test's loop.
@pytest.fixture
def nanobanana_client(
    request: pytest.FixtureRequest, nanobanana_emulator: EmulatorThread
) -> NanoBananaClient:
    """A NanoBananaClient for an async test, on the emulator that nanobanana_emulator is.
    It is open while the test function runs, and closed as soon as that has ended, however it did.
    """
    from nanobanana_async.testing._lent import new_client  # noqa: PLC0415 - not before it is used

    client = new_client(nanobanana_emulator, request.function, request.cls)
    request.node.stash[_CLIENT] = client
    return client


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Note a mark on the test function itself. One on a class or a module may be for other tests
    there, and so may be one that a conftest adds to many later on.
    """
    item.stash[_IS_MARKED] = any(mark.name == "nanobanana" for mark in item.own_markers)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Open the client of a test that has one, in the test's own event loop."""
    with _client_of(item):
        called = yield
    _check_mark(item)
    return called


def _client_of(item: pytest.Item) -> AbstractContextManager[None]:
    client = item.stash.get(_CLIENT, None)
    if client is None:
        return nullcontext()
    from nanobanana_async.testing._lent import open_within  # noqa: PLC0415 - not before it is used

    return open_within(cast(pytest.Function, item), client)


def _check_mark(item: pytest.Item) -> None:
    """Fail a test that has passed, but without what its mark asks for."""
    if item.stash.get(_IS_MARKED, False) and not item.stash.get(_HAS_EMULATOR, False):
        pytest.fail(_MARKED_FOR_NOTHING, pytrace=False)
