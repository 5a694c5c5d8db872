"""`nanobanana_offline = true`: from before the first import to the end, no client by mistake."""

import os

import pytest

from tests.plugin.inner import AUTO, PLUGIN, run

OFFLINE = ("-o", "nanobanana_offline=true")
REFUSED = "*nanobanana_offline-is-on,-so-take-the-fixture-nanobanana_emulator*"


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What somebody has in the shell: a key, and an address on this machine."""
    monkeypatch.setenv("APIXO_API_KEY", "sk-of-somebody")
    monkeypatch.setenv("APIXO_BASE_URL", "http://127.0.0.1:1")
    return {name: os.environ[name] for name in ("APIXO_API_KEY", "APIXO_BASE_URL")}


def is_as_before(shell: dict[str, str]) -> bool:
    return shell.items() <= os.environ.items()


def test_no_client_is_made_by_mistake(pytester: pytest.Pytester, shell: dict[str, str]) -> None:
    code = """
        import pytest
        from nanobanana_async import MissingKeyError, NanoBananaClient

        def test_forgot():
            with pytest.raises(ValueError, match="take-the-fixture-nanobanana_emulator"):
                NanoBananaClient()
            with pytest.raises(MissingKeyError):
                NanoBananaClient(base_url="https://api.example.org")

        async def test_asked(nanobanana_client):
            await NanoBananaClient().aclose()
    """
    run(pytester, code, *AUTO, *OFFLINE).assert_outcomes(passed=2)
    assert is_as_before(shell)


def test_a_test_with_the_emulator_has_no_hole_before_or_after_it(pytester: pytest.Pytester) -> None:
    code = """
        import os
        import pytest
        from nanobanana_async import NanoBananaClient

        def is_refused():
            with pytest.raises(ValueError, match="take-the-fixture-nanobanana_emulator"):
                NanoBananaClient()
            return "APIXO_API_KEY" not in os.environ

        @pytest.fixture(autouse=True)
        def for_all():
            assert is_refused()

        @pytest.fixture
        def around():
            assert is_refused()
            yield
            assert is_refused()

        def test_paints(around, nanobanana_emulator, monkeypatch):
            monkeypatch.setenv("APIXO_BASE_URL", "http://elsewhere.invalid")
            monkeypatch.undo()
            assert os.environ["APIXO_BASE_URL"] == nanobanana_emulator.url

        def test_undoes(monkeypatch):
            monkeypatch.setenv("APIXO_API_KEY", "sk-of-a-test")
            monkeypatch.undo()
            assert is_refused()
    """
    run(pytester, code, *OFFLINE).assert_outcomes(passed=2)


def test_an_emulator_of_a_wider_scope_holds_while_it_lasts(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_then="""
        import pytest
        from nanobanana_async import NanoBananaClient

        def test_it_is_over():
            with pytest.raises(ValueError, match="take-the-fixture-nanobanana_emulator"):
                NanoBananaClient()
        """
    )
    code = """
        import os
        import pytest
        from nanobanana_async.testing import EmulatorThread

        @pytest.fixture(scope="module", autouse=True)
        def api():
            with EmulatorThread() as emulator, pytest.MonkeyPatch.context() as environment:
                environment.setenv("APIXO_API_KEY", emulator.api_key)
                environment.setenv("APIXO_BASE_URL", emulator.url)
                yield emulator

        def test_it_is_the_one(api):
            assert os.environ["APIXO_BASE_URL"] == api.url
    """
    run(pytester, code, *OFFLINE).assert_outcomes(passed=2)


def test_a_client_that_a_conftest_makes_when_imported_ends_the_run(
    pytester: pytest.Pytester, shell: dict[str, str]
) -> None:
    pytester.makeconftest("from nanobanana_async import NanoBananaClient; NanoBananaClient()")
    result = run(pytester, "def test_nothing(): ...", *OFFLINE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([REFUSED])
    assert is_as_before(shell)


def test_a_client_that_a_test_module_makes_when_imported_is_an_error(
    pytester: pytest.Pytester,
) -> None:
    code = "from nanobanana_async import NanoBananaClient; NanoBananaClient()"
    result = run(pytester, code, *OFFLINE)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([REFUSED])


LOOKS = """
    import os

    AT_IMPORT = os.environ.get("APIXO_BASE_URL")

    def test_sees():
        assert AT_IMPORT == os.environ["APIXO_BASE_URL"] == {url!r}
        assert ("APIXO_API_KEY" in os.environ) == {key}
"""


@pytest.mark.parametrize("option", [(), ("-o", "nanobanana_offline=false")])
def test_who_does_not_set_it_sees_the_shell(
    pytester: pytest.Pytester, option: tuple[str, ...]
) -> None:
    code = LOOKS.format(url="http://127.0.0.1:1", key=True)
    run(pytester, code, *option).assert_outcomes(passed=1)


def test_a_conftest_may_load_the_plugin(pytester: pytest.Pytester) -> None:
    from nanobanana_async.pytest_plugin import _NOWHERE  # noqa: PLC0415 - pytest has loaded it

    pytester.makeconftest(f"pytest_plugins = {PLUGIN!r}")
    pytester.makepyfile(LOOKS.format(url=_NOWHERE, key=False))
    options = ("--disable-plugin-autoload", "-p", "no:cacheprovider")
    pytester.runpytest_inprocess(*options, *OFFLINE).assert_outcomes(passed=1)


def test_processes_of_xdist_are_offline_too(pytester: pytest.Pytester) -> None:
    from nanobanana_async.pytest_plugin import _NOWHERE  # noqa: PLC0415 - pytest has loaded it

    pytester.makeconftest(f"""
        import os

        assert os.environ["APIXO_BASE_URL"] == {_NOWHERE!r}
    """)
    pytester.makepyprojecttoml("""
        [tool.pytest.ini_options]
        nanobanana_offline = true
    """)
    pytester.makepyfile(LOOKS.format(url=_NOWHERE, key=False))
    options = ("--disable-plugin-autoload", "--strict-config", "-p", "xdist", "-p", PLUGIN)
    pytester.runpytest_subprocess(*options, "-n", "1").assert_outcomes(passed=1)


def test_pytest_tells_of_it(pytester: pytest.Pytester) -> None:
    told = run(pytester, "", "--help").stdout
    told.fnmatch_lines(["*nanobanana_offline (bool):*", "*unless*nanobanana_emulator*"])
