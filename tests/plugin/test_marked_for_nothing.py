"""A mark on a test that has no emulator: the test must not be green."""

import pytest

from tests.plugin.inner import AUTO, run

NOTHING = (
    "@pytest.mark.nanobanana does nothing here: this test does not use the fixture nanobanana_*"
)


def test_a_test_that_passed_without_what_its_mark_asks_for_fails(
    pytester: pytest.Pytester,
) -> None:
    code = """
        import unittest
        import pytest

        @pytest.fixture
        def api(): ...

        @pytest.mark.nanobanana(faults={"submit_lost": 1.0})
        def test_with_an_emulator_of_its_own(api): ...

        @pytest.mark.nanobanana(fault=1)
        async def test_misspelt(): ...

        @pytest.mark.parametrize("name", [pytest.param("x", marks=pytest.mark.nanobanana())])
        def test_of_a_parameter(name): ...

        class TestAll(unittest.TestCase):
            @pytest.mark.nanobanana()
            def test_of_unittest(self): ...
    """
    result = run(pytester, code, *AUTO)
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines([NOTHING] * 4)


def test_what_failed_or_was_skipped_says_why_itself(pytester: pytest.Pytester) -> None:
    code = """
        import unittest
        import pytest

        mark = pytest.mark.nanobanana(balance=1.0)

        @mark
        def test_fails():
            raise LookupError

        @mark
        def test_is_skipped():
            pytest.skip()

        @mark
        @pytest.mark.xfail
        def test_is_known_to_fail():
            raise LookupError

        class TestAll(unittest.TestCase):
            @mark
            def test_fails(self):
                raise LookupError

            @mark
            def test_is_skipped(self):
                self.skipTest("")
    """
    result = run(pytester, code)
    result.assert_outcomes(failed=2, skipped=2, xfailed=1)
    result.stdout.no_fnmatch_line(NOTHING)


def test_marks_that_are_used_or_may_be_for_others_are_fine(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.nanobanana(speed=1000))
    """)
    code = """
        import pytest

        pytestmark = pytest.mark.nanobanana(balance=1.0)

        def test_of_something_else(): ...

        @pytest.mark.nanobanana(price=0.5)
        class TestOne:
            def test_of_something_else(self): ...

        @pytest.mark.nanobanana(price=0.5)
        def test_asks_late(request):
            request.getfixturevalue("nanobanana_emulator")

        @pytest.mark.nanobanana(price=0.5)
        async def test_asks_for_a_client(nanobanana_client): ...
    """
    run(pytester, code, *AUTO).assert_outcomes(passed=4)
