"""The wheel with the extras of the tutorial, without the source tree."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import split
from subprocess import DEVNULL, PIPE, Popen

from .environment import Environment

# Types the page's examples one after the other, in the order of the page and in one interpreter.
TYPE_IT = """
import json, subprocess, sys
typed = {"__name__": "__main__"}
for language, text in json.load(sys.stdin):
    if language == "python":
        exec(compile(text, "tutorial.md", "exec"), typed)
    else:
        subprocess.run(text, shell=True, check=True)
"""


def examples(page: str) -> Iterator[tuple[str, str]]:
    """What is to be typed: whole blocks of Python, single commands."""
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if language == "python":
            yield language, text
        elif language == "console":
            commands = re.findall(r"^\$ (.*?)(?:\s+#.*)?$", text, re.MULTILINE)
            yield from ((language, command) for command in commands)


@contextmanager
def in_background(where: Environment, command: list[str]) -> Iterator[dict[str, str]]:
    """Run the emulator, and hand out the variables that it prints."""
    with (
        Popen(  # noqa: S603 - a command of our own page
            [where.home / "bin" / command[0], *command[1:], "--port", "0"],
            cwd=where.work,
            env=where.variables,
            stdout=PIPE,
            stderr=DEVNULL,
            text=True,
        ) as process
    ):
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            yield dict(split(line)[1].split("=", 1) for line in lines)
        finally:
            process.terminate()
    assert process.returncode == 0


def test_the_tutorial(full: Environment, root: Path) -> None:
    page = list(examples((root / "docs" / "tutorial.md").read_text()))
    (installing,) = (text for _, text in page if text.startswith("pip install"))
    assert set(re.findall(r"\[(.*)\]", installing)) == {"cli,emulator"}
    (serving,) = (text for _, text in page if text.startswith("nanobanana emulator"))
    typed = [(language, text) for language, text in page if text not in {installing, serving}]
    assert typed
    with in_background(full, split(serving)) as variables:
        told = Environment(full.home, full.work, extra=variables)
        done = told.run("python", "-c", TYPE_IT, stdin=json.dumps(typed))
    assert done.returncode == 0, done.stderr
    assert list(full.work.rglob("*.png"))


def test_every_entry_point_loads(full: Environment) -> None:
    code = """if True:
        from importlib.metadata import distribution
        for point in distribution("nanobanana-async").entry_points:
            if point.group != "pytest11":  # pytest is not installed here
                print(callable(point.load()))
    """
    assert set(full.python(code).split()) == {"True"}


def test_help_is_there_at_once(full: Environment) -> None:
    """At most a quarter of a second after Python itself."""
    nothing, help_text = full.costs(("python", "-c", "pass"), ("nanobanana", "--help"))
    assert help_text - nothing <= 0.25, f"{help_text:.3f} s, Python alone {nothing:.3f} s"
