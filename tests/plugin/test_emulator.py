"""`nanobanana_emulator`, and what a run without them is spared."""

import asyncio
import os
import sys
import threading
import time
from importlib.metadata import entry_points

import pytest

from nanobanana_async import NanoBananaClient
from nanobanana_async.testing import EmulatorThread
from tests.plugin.inner import AUTO, PLUGIN, run


def test_code_that_makes_its_own_client_reaches_it(nanobanana_emulator: EmulatorThread) -> None:
    async def application() -> None:
        async with NanoBananaClient() as client:
            await client.submit("a cat")

    asyncio.run(application())
    assert os.environ["APIXO_BASE_URL"] == nanobanana_emulator.url
    assert nanobanana_emulator.ledger().accepted_by_prompt == {"a cat": 1}


@pytest.mark.nanobanana(api_key="sk-another")
async def test_the_ledger_is_read_within_a_loop(
    nanobanana_client: NanoBananaClient, nanobanana_emulator: EmulatorThread
) -> None:
    assert os.environ["APIXO_API_KEY"] == nanobanana_emulator.api_key == "sk-another"
    await nanobanana_client.balance()
    assert nanobanana_emulator.ledger().requests["balance"] == 1


def test_it_goes_by_the_marks_of_the_test(pytester: pytest.Pytester) -> None:
    code = """
        import pytest
        from nanobanana_async import InsufficientBalanceError

        pytestmark = pytest.mark.nanobanana(balance=0.0, price=1.0)

        async def test_poor(nanobanana_client):
            with pytest.raises(InsufficientBalanceError):
                await nanobanana_client.submit("a cat")

        @pytest.mark.nanobanana(balance=5.0)
        async def test_rich(nanobanana_client):
            await nanobanana_client.submit("a cat")
            assert (await nanobanana_client.balance())["balance"] == 4.0

        @pytest.mark.nanobanana(fault={"submit_lost": 0.2})
        def test_misspelt(nanobanana_emulator): ...
    """
    result = run(pytester, code, *AUTO)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["@pytest.mark.nanobanana has no keyword 'fault'; did you mean*"])


def test_the_environment_is_restored_and_the_thread_has_ended(
    monkeypatch: pytest.MonkeyPatch,
    pytester: pytest.Pytester,
) -> None:
    monkeypatch.setenv("APIXO_BASE_URL", "https://api.example.org")
    code = """
        def test_undoes(nanobanana_emulator, monkeypatch):
            import os
            monkeypatch.undo()
            assert os.environ["APIXO_BASE_URL"] == nanobanana_emulator.url
    """
    run(pytester, code).assert_outcomes(passed=1)
    assert os.environ["APIXO_BASE_URL"] == "https://api.example.org"
    assert not [t for t in threading.enumerate() if t.name.startswith("nanobanana")]


def test_it_begins_and_ends_within_50_ms() -> None:
    def seconds() -> float:
        start = time.perf_counter()
        with EmulatorThread(speed=100) as emulator:
            pass
        assert emulator.ledger().accepted == 0
        return time.perf_counter() - start

    # The best of some, since the machine may be busy with other tests.
    assert min(seconds() for _ in range(5)) < 0.05


def test_without_pillow_it_says_what_to_install(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    result = run(pytester, "def test_paints(nanobanana_emulator): ...")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Pillow: pip install 'nanobanana-async?emulator?'"])


def test_it_works_in_parallel(pytester: pytest.Pytester) -> None:
    code = """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        async def test_alone(nanobanana_client, nanobanana_emulator, number):
            await nanobanana_client.submit("a cat")
            assert nanobanana_emulator.ledger().accepted == 1
    """
    run(pytester, code, *AUTO, "-p", "xdist", "-n", "2").assert_outcomes(passed=4)


def test_a_run_that_uses_none_of_it_imports_none_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_imports():
            assert "nanobanana_async.pytest_plugin" in sys.modules
            ours = {name for name in sys.modules if name.startswith("nanobanana_async.")}
            assert ours == {"nanobanana_async._version", "nanobanana_async.pytest_plugin"}
            assert not {"aiohttp", "attr", "cattrs", "PIL"} & set(sys.modules)
    """)
    # Not in this process, which has imported it; and no plugins that may import what they like.
    result = pytester.runpytest_subprocess("--disable-plugin-autoload", "-p", PLUGIN)
    result.assert_outcomes(passed=1)


def test_it_is_found_and_can_be_turned_off_by_its_name() -> None:
    (found,) = entry_points(group="pytest11", name="nanobanana_async")
    assert found.value == PLUGIN


def test_pytest_tells_what_there_is(pytester: pytest.Pytester) -> None:
    told = run(pytester, "", "--markers").stdout
    told.fnmatch_lines(["@pytest.mark.nanobanana(faults={...}, service=..., speed=100, ...): *"])
    told = run(pytester, "", "--fixtures").stdout
    told.fnmatch_lines(["nanobanana_emulator -- *", "*APIXO_BASE_URL*"])
    told.fnmatch_lines(["nanobanana_client -- *"])
