"""Test runs inside of tests: what a user's project would see."""

import pytest

# Kept by the outer run, so that no inner one imports them anew.
import nanobanana_async.testing._lent
import nanobanana_async.testing._marks  # noqa: F401 - likewise

PLUGIN = "nanobanana_async.pytest_plugin"
ASYNCIO = ("-p", "pytest_asyncio.plugin")
ANYIO = ("-p", "anyio.pytest_plugin")
AUTO = (*ASYNCIO, "--asyncio-mode=auto")

_INI = """
[pytest]
addopts = --disable-plugin-autoload --strict-markers -p no:cacheprovider -p {plugin}
filterwarnings =
    error
    ignore:The configuration option "asyncio_default_fixture_loop_scope" is unset
"""


def run(pytester: pytest.Pytester, code: str, *options: str) -> pytest.RunResult:
    """Run the code in this process, with ours and those plugins alone that the options name."""
    pytester.makeini(_INI.format(plugin=PLUGIN))
    pytester.makepyfile(code)
    return pytester.runpytest_inprocess(*options)
