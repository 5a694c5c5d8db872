"""A throw-away application with five tests: under each runner, in parallel, as a project of its own."""

import shutil
from pathlib import Path

import pytest

from tests.plugin.inner import ANYIO, ASYNCIO, PLUGIN

APPLICATION = Path(__file__).parent / "application"
RUNNERS = {
    "auto": ((*ASYNCIO, "-o", "asyncio_mode=auto"), ""),
    "strict": ((*ASYNCIO, "-o", "asyncio_mode=strict"), "@pytest.mark.asyncio\n"),
    "anyio": (ANYIO, "@pytest.mark.anyio\n"),
}
ONLY_ASYNCIO = """
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


@pytest.mark.parametrize("runner", RUNNERS)
def test_it_passes_in_parallel(
    runner: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APIXO_API_KEY", raising=False)
    options, mark = RUNNERS[runner]
    shutil.copy(APPLICATION / "album.py", pytester.path)
    tests = (APPLICATION / "test_album.py").read_text()
    tests = tests.replace("tests.plugin.application.", "")
    pytester.makepyfile(test_album=tests.replace("async def test_", f"{mark}async def test_"))
    pytester.makeconftest(ONLY_ASYNCIO)
    pytester.makeini("[pytest]\nfilterwarnings = error\n    ignore:.*loop_scope. is unset")
    ours = (
        "--disable-plugin-autoload",
        "-p",
        PLUGIN,
        "-p",
        "xdist",
        "-n",
        "2",
        "-p",
        "no:cacheprovider",
    )
    done = pytester.runpytest_subprocess(*ours, *options, "-o", "nanobanana_offline=true")
    done.assert_outcomes(passed=5)
