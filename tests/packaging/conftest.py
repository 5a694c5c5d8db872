"""What `make dist` has built, and the environments that it is tried in."""

from pathlib import Path

import pytest

from .environment import Environment

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def _built(pattern: str) -> Path:
    (file,) = (ROOT / "dist").glob(pattern)
    return file


@pytest.fixture(scope="session")
def wheel() -> Path:
    return _built("*.whl")


@pytest.fixture(scope="session")
def sdist() -> Path:
    return _built("*.tar.gz")


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The library, and what it cannot do without."""
    return Environment.with_wheel(tmp_path_factory.mktemp("bare"), wheel)


@pytest.fixture(scope="session")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The library with what the tutorial installs."""
    return Environment.with_wheel(tmp_path_factory.mktemp("full"), wheel, "[cli,emulator]")
