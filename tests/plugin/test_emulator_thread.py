"""`EmulatorThread` used as it is not meant to be, and what breaks in it."""

import os
import signal

import pytest

from nanobanana_async.emulator import Emulator
from nanobanana_async.testing import EmulatorThread
from tests.plugin.inner import AUTO, run


def test_it_is_entered_once() -> None:
    emulator = EmulatorThread()
    with emulator:
        pass
    with pytest.raises(RuntimeError, match="entered once: make another"), emulator:
        pass


def test_where_it_could_not_be_entered_there_is_nothing_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(_: Emulator) -> None:
        raise OSError("no port is free")

    monkeypatch.setattr(Emulator, "__aenter__", fails)
    emulator = EmulatorThread()
    with pytest.raises(OSError, match="no port is free"), emulator:
        pass
    with pytest.raises(RuntimeError, match="not entered"):
        emulator.ledger()
    with pytest.raises(RuntimeError, match="entered once"), emulator:
        pass


def test_before_it_is_entered_there_is_nothing() -> None:
    emulator = EmulatorThread(api_key="sk-another")
    assert (repr(emulator), emulator.api_key) == ("<EmulatorThread not entered>", "sk-another")
    with pytest.raises(RuntimeError, match="not entered: with EmulatorThread"):
        _ = emulator.url
    with pytest.raises(RuntimeError, match="not entered: with EmulatorThread"):
        emulator.ledger()


def asks_in_vain(emulator: EmulatorThread) -> bool:
    emulator.__exit__(None, None, None)
    try:
        emulator.ledger()
    except RuntimeError as error:
        return "ask there" in str(error)
    return False


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_process_that_was_forked_off_has_no_ledger_and_does_not_wait_for_one() -> None:
    with EmulatorThread() as emulator:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(5)
            os._exit(0 if asks_in_vain(emulator) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert emulator.ledger().accepted == 0


def fail_beside(emulator: EmulatorThread) -> None:
    with emulator:
        emulator._emulator._defect = LookupError()
        raise KeyError


def test_a_block_that_raises_is_told_of_that_alone() -> None:
    with pytest.raises(KeyError):
        fail_beside(EmulatorThread())


def test_what_breaks_in_the_emulator_fails_the_test(pytester: pytest.Pytester) -> None:
    code = """
        import pytest
        from nanobanana_async import NanoBananaError

        class Broken:
            def draw(self, rng, resolution):
                raise LookupError("no times")

        @pytest.mark.nanobanana(service=Broken())
        async def test_paints(nanobanana_client):
            with pytest.raises(NanoBananaError):
                await nanobanana_client.generate("a cat")
    """
    result = run(pytester, code, *AUTO)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E*LookupError: no times"])
    result.stdout.fnmatch_lines(["E*RuntimeError: the emulator itself failed: that was no fault*"])
    result.stdout.fnmatch_lines(["ERROR*nanobanana_async.emulator:*the emulator itself failed*"])
