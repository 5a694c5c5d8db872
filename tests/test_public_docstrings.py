"""Whoever hovers over a public name reads what it is, in which unit, what it raises, and what
becomes of it when it is cancelled."""

import ast
import builtins
import re
from collections.abc import Iterator, Mapping
from typing import Final

import nanobanana_async
from nanobanana_async import bulk
from tests.public_names import Thing, things

THINGS: Final = things()

UNITS: Final[Mapping[str, str]] = {
    # A duration or a moment: of what is a float, these words are in its name.
    r"(^|_)(timeout|seconds|patience|hold|after|interval|delay|age|lag|lags|wait|time|times|latency"
    r"|period|length|trip|lifetime|offset|late|at|start|every|now|epoch|median|exposure|longest)$": (
        r"\bseconds?\b|\d s\b"
    ),
    r"_per_minute$": r"\bminute\b",
    r"_per_second$": r"\bsecond\b",
    r"^(bytes|spare|downloaded)$": r"\b[Bb]ytes\b",
    r"^(width|height)$": r"\b[Pp]ixels\b",
}
"""By what a name looks like, the unit that is to be in what is said of it."""

FIELDS_OF_IMAGE_REQUEST: Final = "nanobanana_async.RequestFields."

NOTHING_TO_SAY: Final[Mapping[str, str]] = {}
"""Coroutines that say nothing of a cancellation, and why."""


def complain(missing: list[str]) -> None:
    assert not missing, "\n".join(["", *missing])


def test_every_public_thing_says_what_it_is() -> None:
    # Each key of `RequestFields` is a field of `ImageRequest`, and told of there.
    complain(
        [
            f"{thing.name} says nothing"
            for thing in THINGS
            if not (thing.doc or thing.context)
            and not thing.name.startswith(FIELDS_OF_IMAGE_REQUEST)
        ]
    )


def measures(thing: Thing) -> Iterator[tuple[str, str, str]]:
    """What has a unit: its name, its annotation, and what is said of it."""
    of = thing.name.rpartition(".")[2]
    match thing.node:
        case ast.AnnAssign(annotation=annotation):
            yield of, ast.unparse(annotation), thing.text
        case ast.FunctionDef(returns=ast.expr() as returns):
            yield of, ast.unparse(returns), thing.text
    said = thing.sections.get("Args", {})
    for parameter in thing.parameters():
        annotation = ast.unparse(parameter.annotation) if parameter.annotation else ""
        told = f"`{parameter.arg}`" in thing.text and thing.text
        yield parameter.arg, annotation, said.get(parameter.arg, told or "")


def test_what_has_a_unit_says_which() -> None:
    missing = []
    for thing in THINGS:
        for name, annotation, text in measures(thing):
            for looks, unit in UNITS.items():
                if re.search(looks, name) and re.search(r"\b(float|int)\b", annotation):
                    if not re.search(unit, text):
                        missing.append(f"{thing.name}: {name}: no unit in {text!r:.200}")
    complain(missing)


def test_every_coroutine_says_what_a_cancellation_does() -> None:
    silent = [
        thing.name
        for thing in THINGS
        if isinstance(thing.node, ast.AsyncFunctionDef)
        and not re.search("[Cc]ancel", thing.text)
        and thing.name not in NOTHING_TO_SAY
    ]
    complain([f"{name} does not say what a cancellation does" for name in silent])


def exception_named(name: str) -> type[BaseException] | None:
    for home in (nanobanana_async, bulk, builtins):
        found = getattr(home, name, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
    return None
