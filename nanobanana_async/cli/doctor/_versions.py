"""Which versions are installed, and whether they are those that the package asks for.

The standard library only: where a library is missing, this is what says so.
"""

import platform
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final, NamedTuple

from nanobanana_async import __version__
from nanobanana_async.cli.doctor._finding import Finding, failed, ok, warning

_PACKAGE: Final = "nanobanana-async"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_LEAST: Final = re.compile(r">=\s*([0-9.]+)")
_EXTRA: Final = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


class Need(NamedTuple):
    """A library that the package itself, or one of its extras, asks for."""

    library: str
    least: str | None
    extra: str | None


def check_versions() -> Finding:
    """Look at what is installed here."""
    return versions(needs(_requirements()), _version_of)


def needs(requirements: Iterable[str]) -> list[Need]:
    """Read lines such as ``rich>=15; extra == 'cli'``."""
    return [_need(line) for line in requirements]


def versions(wanted: Iterable[Need], version_of: Callable[[str], str | None]) -> Finding:
    """Compare what is wanted with what is there.

    Args:
        wanted: by the package and its extras.
        version_of: tells a library's version, None where it is not installed.
    """
    faults: dict[str | None, list[str]] = defaultdict(list)
    extras: dict[str, None] = {}
    for need in wanted:
        if need.extra:
            extras[need.extra] = None
        if fault := _fault(need, version_of(need.library)):
            faults[need.extra].append(fault)
    aiohttp = version_of("aiohttp") or "missing"
    text = f"Python {platform.python_version()}, {_PACKAGE} {__version__}, aiohttp {aiohttp}"
    complete = [extra for extra in extras if extra not in faults]
    facts = {
        "python": platform.python_version(),
        "nanobanana_async": __version__,
        "aiohttp": version_of("aiohttp"),
        "extras": complete,
        "faults": {extra or "": lacking for extra, lacking in faults.items()},
    }
    return _finding(text, faults, complete, facts)


def _finding(
    text: str,
    faults: Mapping[str | None, list[str]],
    complete: list[str],
    facts: Mapping[str, object],
) -> Finding:
    if None in faults:
        text = f"{text}; {', '.join(faults[None])}"
        return failed("versions", text, f"pip install --upgrade {_PACKAGE}", facts=facts)
    text += f"; extras: {', '.join(complete) or 'none'}"
    lacking = {extra: texts for extra, texts in faults.items() if extra}
    if not lacking:
        return ok("versions", text, facts=facts)
    details = "; ".join(f"{extra} ({', '.join(texts)})" for extra, texts in lacking.items())
    advice = f"Where they are wanted: pip install '{_PACKAGE}[{','.join(lacking)}]'"
    if any("needed" in detail for texts in lacking.values() for detail in texts):
        return warning("versions", f"{text}; not {details}", advice, facts=facts)
    return ok("versions", f"{text}; not {details}", advice, facts=facts)


def _need(line: str) -> Need:
    name, least, extra = _NAME.match(line), _LEAST.search(line), _EXTRA.search(line)
    return Need(name[0] if name else line, least[1] if least else None, extra[1] if extra else None)


def _fault(need: Need, there: str | None) -> str | None:
    if there is None:
        return f"{need.library} is missing"
    if need.least and _numbers(there) < _numbers(need.least):
        return f"{need.library} is {there}, {need.least} is needed"
    return None


def _numbers(text: str) -> list[int]:
    """Return the release of a version: what stands before ``rc``, ``.post`` and the like."""
    release = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    return [int(number) for number in release[0].split(".")] if release else []


def _requirements() -> list[str]:
    try:
        return requires(_PACKAGE) or []
    except PackageNotFoundError:  # run from a source tree
        return []


def _version_of(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
