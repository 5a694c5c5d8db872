"""The page about tests: its files are run as a reader would run them, and its tables are complete."""

import re
from pathlib import Path

import pytest
from attrs import fields_dict

from nanobanana_async.emulator import Ledger, Settings
from nanobanana_async.emulator._acts import ACTS
from nanobanana_async.emulator._callback_faults import CALLBACK_FAULTS
from tests.plugin.inner import ANYIO, AUTO, PLUGIN

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "testing.md").read_text()
# Fenced as `py`: what is `python`, `tests/test_docs.py` runs without pytest. The first line of each
# block names its file.
FILES = re.findall(r"^```(?:py|toml)\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
OTHERS_WARN = (
    'ignore:The configuration option "asyncio_default_fixture_loop_scope" is unset',
    "ignore:Using `httpx` with `starlette.testclient`",
)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with all files of the page, and nobody's key."""
    monkeypatch.delenv("APIXO_API_KEY", raising=False)
    for name, text in FILES:
        (pytester.path / name).write_text(text)
    return pytester


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    plugins = ["--disable-plugin-autoload", "-p", PLUGIN, "-p", "no:cacheprovider"]
    warnings = [f"-W{rule}" for rule in ("error", *OTHERS_WARN)]
    return project.runpytest_inprocess(*plugins, *warnings, *options)


def test_its_tests_pass(project: pytest.Pytester) -> None:
    tests = re.findall(r"^(?:async )?def test_", PAGE, re.MULTILINE)
    run(project, *AUTO).assert_outcomes(passed=len(tests))


def test_anyio_does_as_well(project: pytest.Pytester) -> None:
    files = ["test_first.py", "test_webhooks.py"]  # the others take their time
    run(project, *ANYIO, "--anyio-mode=auto", *files).assert_outcomes(passed=2)


def test_its_tables_are_complete() -> None:
    acts = {re.sub("(_json|_html|_empty)?((?<!retry)_after)?$", "", act.name) for act in ACTS}
    named = set(re.findall(r"`(\w+)`", PAGE[PAGE.index("## Reference") :]))
    assert named >= {*acts, *CALLBACK_FAULTS, *fields_dict(Settings), *fields_dict(Ledger)}
