"""The directions of imports, and what the package shows of itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import nanobanana_async
from nanobanana_async import _public

ROOT = Path(nanobanana_async.__file__).parent

PACKAGES = {"cli", "emulator", "telemetry", "testing", "webhooks"}

# Lowest first. A module imports modules of lower ranks only; what stands in one row may import
# nothing of that row.
RANKS = [
    {"_checks"},
    {
        "_callback",
        "_hosts",
        "_journal",
        "_lifecycle",
        "_models",
        "_picture",
        "_relay",
        "_retry",
        "_specs",
        "_storage",
        "_tokens",
        "_version",
        "_webhooks",
        "_wire",
    },
    {
        "_alarm",
        "_counters",
        "_errors",
        "_forgetting",
        "_gate",
        "_guarded",
        "_ledger",
        "_life_table",
        "_observer",
        "_limits",
        "_optimism",
        "_pacer",
    },
    {
        "_queue",
        "_health",
        "_journal_faults",
        "_outcome",
        "_rate",
        "_service_times",
        "_sharing",
        "_slots",
        "_unawaited",
    },
    {"_expectation", "_polling", "_schedule", "_learned", "_stalest", "_journal_file"},
    {"_sqlite_journal", "_validation", "_changes", "_codec", "_failures", "_transport", "_hops"},
    {"_generation", "_refusals", "_download", "_options"},
    {"_gateway", "_callbacks"},
    {"_tracker", "_attempts"},
    {"_submits"},
    {"_dispatcher"},
    {"_waiting", "_balance", "_deliveries"},
    {"_task"},
    {"_engine"},
    {"_many", "_resume"},
    {"_client"},
    {"_public"},
    {"__init__"},
    PACKAGES,
    {"pytest_plugin"},
]
RANK = {module: rank for rank, modules in enumerate(RANKS) for module in modules}

# Libraries that a file of the core may use, beside the standard library and attrs.
HOMES = {
    "aiohttp": {"_transport", "_guarded", "_hops", "_client", "_options"},
    "cattrs": {"_codec"},
    "yarl": {"_options", "_transport", "_guarded", "_hops"},
    "anyio": {"_storage", "_engine", "_slots"},
    "aiolimiter": {"_pacer"},
}


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """The top-level package of each import, and the module of ours that it names."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            yield package, rest.partition(".")[0] or "__init__"


CORE = sorted(file for file in ROOT.glob("*.py") if file.stem != "__init__")


def test_every_module_has_a_rank() -> None:
    assert {file.stem for file in CORE} | {"__init__"} | PACKAGES == set(RANK)


@pytest.mark.parametrize("file", CORE, ids=lambda file: file.stem)
def test_imports_point_down_only(file: Path) -> None:
    for package, module in imports(file):
        if package == "nanobanana_async":
            assert RANK[module] < RANK[file.stem]
        elif package in HOMES:
            assert file.stem in HOMES[package]


def test_receivers_use_the_public_api_only() -> None:
    for file in (ROOT / "webhooks").rglob("*.py"):
        for package, module in imports(file):
            if package == "nanobanana_async":
                assert module in {"__init__", "webhooks"}, file


def test_the_asgi_receiver_needs_no_framework() -> None:
    used = {package for package, _ in imports(ROOT / "webhooks" / "asgi.py")}
    assert used <= {"nanobanana_async", *sys.stdlib_module_names}


def test_telemetry_is_the_one_place_that_knows_opentelemetry() -> None:
    """And it knows what an observer is told, no more."""
    for file in ROOT.rglob("*.py"):
        used = set(imports(file))
        if file.parent == ROOT / "telemetry":
            ours = {module for package, module in used if package == "nanobanana_async"}
            told = {"_lifecycle", "_models", "_observer"}
            assert ours <= told | {"_attempts", "_version", "telemetry"}
            assert "time" not in {package for package, _ in used}
        else:
            assert "opentelemetry" not in {package for package, _ in used}


def test_the_command_line_uses_the_public_api_only() -> None:
    for file in (ROOT / "cli").rglob("*.py"):
        for package, module in imports(file):
            if package == "nanobanana_async":
                assert module in {"__init__", "bulk", "cli", "emulator"}, file


@pytest.mark.parametrize("file", CORE, ids=lambda file: file.stem)
def test_only_the_shell_knows_a_clock(file: Path) -> None:
    """Time is handed in below the gateway. The wall clock is for what outlives the process: records."""
    source = file.read_text()
    assert "time" not in {package for package, _ in imports(file)}
    if RANK[file.stem] < RANK["_gateway"] and file.stem != "_alarm":
        assert "loop.time()" not in source
        assert "loop().time()" not in source


def test_all_is_what_the_package_exports() -> None:
    # pytest adds names of its own to the modules of what has a plugin, and those begin with @.
    public = {name for name in vars(_public) if name[0] not in "_@"}
    assert public == set(nanobanana_async.__all__) - {"__version__"}
    assert dir(nanobanana_async) == sorted(nanobanana_async.__all__)


def test_a_name_that_is_not_there_is_no_name() -> None:
    with pytest.raises(AttributeError, match="'nanobanana_async' has no attribute 'Nothing'"):
        nanobanana_async.Nothing  # noqa: B018 - the look is the test


@pytest.mark.parametrize("code", ["import nanobanana_async", "import nanobanana_async.cli"])
def test_whoever_needs_no_client_imports_none(code: str) -> None:
    code += "; import sys; print({'aiohttp', 'attr', 'cattrs', 'anyio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("name", nanobanana_async.__all__)
def test_errors_say_where_they_come_from_and_the_rest_can_be_looked_into(name: str) -> None:
    thing = getattr(nanobanana_async, name)
    if isinstance(thing, type):
        assert (thing.__module__ == "nanobanana_async") == issubclass(thing, Exception)
        if attrs.has(thing):
            attrs.resolve_types(thing)  # as cattrs does


def test_importing_configures_nothing() -> None:
    code = """if True:
        import logging, threading; from nanobanana_async import NanoBananaClient
        for logger in (logging.getLogger(), logging.getLogger("nanobanana_async")):
            print(logger.handlers, logger.level, threading.active_count())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert done.stdout == "[] 30 1\n[] 0 1\n"
