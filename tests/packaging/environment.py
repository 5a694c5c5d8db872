"""An environment of its own, as a stranger has it: what was installed into it, and no source tree."""

import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

from attrs import frozen

# A stranger has none of the settings of this run. PYTHONDONTWRITEBYTECODE above all would make each
# import as slow as the first one.
VARIABLES = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

RUNS = 25


@frozen
class Environment:
    """A virtual environment, and an empty folder to work in."""

    home: Path
    work: Path
    extra: Mapping[str, str] = {}
    """Variables that are set in it."""

    @classmethod
    def with_wheel(cls, folder: Path, wheel: Path, extras: str = "") -> "Environment":
        """Build one, and install the wheel into it as a user does."""
        work = folder / "work"
        work.mkdir(parents=True)
        venv.create(folder / "venv", with_pip=True, symlinks=True)
        made = cls(folder / "venv", work)
        done = made.run("python", "-m", "pip", "install", "--quiet", f"{wheel}{extras}")
        assert done.returncode == 0, done.stderr
        return made

    @property
    def variables(self) -> dict[str, str]:
        path = f"{self.home / 'bin'}{os.pathsep}{VARIABLES['PATH']}"
        return {**VARIABLES, "PATH": path, **self.extra}

    def run(
        self, command: str, *arguments: str, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment to its end, in its folder."""
        return subprocess.run(  # noqa: S603 - what was just installed
            [self.home / "bin" / command, *arguments],
            cwd=self.work,
            env=self.variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def costs(self, *commands: tuple[str, ...]) -> list[float]:
        """Return what each costs, in seconds of CPU: the median of runs that take turns.

        Of CPU, because a busy machine makes everything take longer, and not to the same degree.
        """
        taken: list[list[float]] = [[] for _ in commands]
        for _ in range(RUNS):
            for command, times in zip(commands, taken, strict=True):
                begun = getrusage(RUSAGE_CHILDREN)
                done = self.run(*command)
                ended = getrusage(RUSAGE_CHILDREN)
                assert done.returncode == 0, done.stderr
                user = ended.ru_utime - begun.ru_utime
                times.append(user + ended.ru_stime - begun.ru_stime)
        return [median(times) for times in taken]

    def python(self, code: str, *options: str) -> str:
        """Run code, and return what it prints; what it complains of fails the test."""
        done = self.run("python", *options, "-c", code)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


def build_wheel(tree: Path, folder: Path) -> Path:
    """Build a wheel of a source tree, past the sdist."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(tree)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)  # noqa: S603 - our own
    (wheel,) = folder.glob("*.whl")
    return wheel
