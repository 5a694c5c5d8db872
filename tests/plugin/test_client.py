"""`nanobanana_client` under everything that runs async tests, and under what does not."""

import threading

import pytest

from tests.plugin.inner import ANYIO, ASYNCIO, AUTO, run

# The second test fails; that its client is closed too tells its fixture.
TESTS = """
    import pytest

    @pytest.fixture
    def closed_in_the_end(nanobanana_client):
        yield
        assert nanobanana_client._closed

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.{mark}
    async def test_paints(nanobanana_client, nanobanana_emulator, closed_in_the_end):
        result = await nanobanana_client.generate("a cat")
        assert result.urls[0].startswith(nanobanana_emulator.url)

    @pytest.mark.{mark}
    @pytest.mark.usefixtures("closed_in_the_end")
    async def test_fails(nanobanana_client):
        await nanobanana_client.submit("a cat")
        raise LookupError
"""
NOBODY = "*nothing has run this async test. With pytest-asyncio: mark it @pytest.mark.asyncio, or*"


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("asyncio", ASYNCIO),
        ("asyncio(loop_scope='session')", (*ASYNCIO, *ANYIO)),
        ("flaky", AUTO),
        ("anyio", ANYIO),
        ("anyio", (*ANYIO, *ASYNCIO)),
        ("anyio", (*ANYIO, *AUTO)),
    ],
)
def test_the_client_is_open_in_the_loop_of_the_test(
    pytester: pytest.Pytester, mark: str, options: tuple[str, ...]
) -> None:
    result = run(pytester, TESTS.format(mark=mark), *options, "-o", "markers=flaky")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*LookupError"])
    assert not [t for t in threading.enumerate() if t.name.startswith("nanobanana")]


def test_fixtures_and_methods_may_use_it(pytester: pytest.Pytester) -> None:
    code = """
        import pytest

        @pytest.fixture
        async def task(nanobanana_client):
            return await nanobanana_client.submit("a cat")

        @pytest.fixture
        async def broken(task):
            raise LookupError

        class TestAll:
            async def test_waits(self, task, nanobanana_emulator):
                await task
                assert nanobanana_emulator.ledger().accepted == 1

            async def test_never_begins(self, broken): ...
    """
    run(pytester, code, *AUTO).assert_outcomes(passed=1, errors=1)


@pytest.mark.parametrize("options", [(), (*ASYNCIO, *ANYIO)])
def test_a_test_that_nobody_runs_says_what_is_missing(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    result = run(pytester, "async def test_paints(nanobanana_client): ...", *options)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([NOBODY])
    result.stdout.no_fnmatch_line("*not natively supported*")


def test_trio_is_told_that_the_client_needs_asyncio(pytester: pytest.Pytester) -> None:
    pytest.importorskip("trio")
    code = """
        import pytest

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["trio"])
        async def test_paints(nanobanana_client): ...
    """
    result = run(pytester, code, *ANYIO)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["nanobanana_client needs asyncio, and another library runs*"])


def test_a_synchronous_test_is_told_what_to_take(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_paints(nanobanana_client): ...")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["nanobanana_client is for an async test function*"])


def test_a_unittest_is_told_what_to_take_and_that_works(pytester: pytest.Pytester) -> None:
    code = """
        import unittest
        import pytest
        from nanobanana_async import NanoBananaClient

        @pytest.mark.usefixtures("nanobanana_client")
        class TestWrong(unittest.IsolatedAsyncioTestCase):
            async def test_paints(self): ...

        @pytest.mark.usefixtures("nanobanana_emulator")
        class TestRight(unittest.IsolatedAsyncioTestCase):
            async def test_paints(self):
                async with NanoBananaClient() as client:
                    await client.submit("a cat")
    """
    result = run(pytester, code, *AUTO)
    result.assert_outcomes(passed=1, errors=1)
    told = (
        '*not for a unittest.TestCase. Here take @pytest.mark.usefixtures("nanobanana_emulator")*'
    )
    result.stdout.fnmatch_lines([told])


def test_a_test_may_fail_by_itself(pytester: pytest.Pytester) -> None:
    code = """
        import pytest

        async def test_fails(nanobanana_client):
            pytest.fail("by itself")

        async def test_is_skipped(nanobanana_client):
            pytest.skip()
    """
    result = run(pytester, code, *AUTO)
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*by itself*"])
