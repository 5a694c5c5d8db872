"""What is in the wheel and in the sdist, and what they say of themselves."""

import re
import subprocess
import sys
import tarfile
import tomllib
from configparser import ConfigParser
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from nanobanana_async import __version__

from .environment import VARIABLES, build_wheel

PACKAGE = "nanobanana_async"
INFO = f"{PACKAGE}-{__version__}.dist-info"
FIVE = {"aiohttp", "aiolimiter", "anyio", "attrs", "cattrs"}

# What the sdist has; the rest of the repository is about working in it.
SHIPPED = (PACKAGE, "tests", "benchmarks", "docs")
SHIPPED_FILES = {
    "pyproject.toml",
    "Makefile",
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    ".gitignore",  # the build follows it
    "PKG-INFO",
}


@pytest.fixture
def metadata(wheel: Path) -> "Message[str, str]":
    return message_from_string(ZipFile(wheel).read(f"{INFO}/METADATA").decode())


@pytest.fixture
def project(root: Path) -> Any:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def files_of(folder: Path) -> set[str]:
    """All files but what running them leaves."""
    return {
        str(file.relative_to(folder.parent))
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".part"
    }


def test_the_wheel_is_the_package_and_nothing_else(wheel: Path, root: Path) -> None:
    about = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    held = set(ZipFile(wheel).namelist())
    assert held == files_of(root / PACKAGE) | {f"{INFO}/{name}" for name in about}
    assert f"{PACKAGE}/py.typed" in held


def test_the_sdist_has_what_it_takes_to_build_and_to_test(sdist: Path, root: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    expected = SHIPPED_FILES.union(*(files_of(root / folder) for folder in SHIPPED))
    assert held == expected


def test_every_test_can_be_collected_in_an_unpacked_sdist(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    code = f"import pytest, sys; done = pytest.main(sys.argv[1:]); import {PACKAGE}; "
    code += f"print({PACKAGE}.__file__); sys.exit(done)"
    quietly = ("-q", "-p", "no:cacheprovider")
    some = ("tests/test_architecture.py", "tests/test_docs.py::test_the_readme_is_short")
    for arguments in (("--collect-only",), some):
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", code, *quietly, *arguments],
            cwd=tree,
            env=VARIABLES,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert done.stdout.splitlines()[-1] == str(tree / PACKAGE / "__init__.py")


def test_the_wheel_of_the_sdist_is_that_of_the_tree(
    wheel: Path, root: Path, tmp_path: Path
) -> None:
    """To the byte: whoever builds it again can compare."""
    assert build_wheel(root, tmp_path).read_bytes() == wheel.read_bytes()


def test_one_version(wheel: Path, sdist: Path, root: Path, metadata: "Message[str, str]") -> None:
    newest = re.search(r"^## (\S+)", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == metadata["Version"] == __version__
    assert wheel.name == f"{PACKAGE}-{__version__}-py3-none-any.whl"
    assert sdist.name == f"{PACKAGE}-{__version__}.tar.gz"


def test_it_needs_five_packages(metadata: "Message[str, str]", project: Any) -> None:
    required = metadata.get_all("Requires-Dist", [])
    names = {re.split(r"[^\w-]", line)[0] for line in required if "extra ==" not in line}
    assert names == FIVE
    assert set(metadata.get_all("Provides-Extra", [])) == set(project["optional-dependencies"])


def test_its_entry_points_are_those_of_the_project(wheel: Path, project: Any) -> None:
    held = ConfigParser(delimiters="=")
    held.read_string(ZipFile(wheel).read(f"{INFO}/entry_points.txt").decode())
    groups = {"console_scripts": project["scripts"]} | project.get("entry-points", {})
    assert {name: dict(held[name]) for name in held.sections()} == groups
