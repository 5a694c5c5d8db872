"""Whoever looks at a public name reads what it is, its unit, what it raises, what cancels it."""

import ast
import builtins
import re
from collections.abc import Iterator, Mapping
from typing import Final

import nanobanana_async
from nanobanana_async import bulk, emulator
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

NOTHING_TO_SAY: Final = frozenset(
    {
        "nanobanana_async.GenerateMany.__aenter__",
        "nanobanana_async.emulator.MemoryCourier.__aenter__",
        "nanobanana_async.emulator.MemoryTransport.aclose",
    }
)
"""Coroutines that say nothing of a cancellation, since they await nothing."""


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
        case ast.AnnAssign(annotation=kind):
            yield of, ast.unparse(kind), thing.text
        case ast.FunctionDef(returns=ast.expr() as returns):
            yield of, ast.unparse(returns), thing.text
    said = thing.sections.get("Args", {})
    for parameter in thing.parameters():
        annotation = ast.unparse(parameter.annotation) if parameter.annotation else ""
        told = f"`{parameter.arg}`" in thing.text and thing.text
        yield parameter.arg, annotation, said.get(parameter.arg, told or "")


def test_what_has_a_unit_says_which() -> None:
    complain(
        [
            f"{thing.name}: {name} has a unit, and {text!r:.200} does not tell it"
            for thing in THINGS
            for name, annotation, text in measures(thing)
            for looks, unit in UNITS.items()
            if re.search(looks, name) and re.search(r"\b(float|int)\b", annotation)
            if not re.search(unit, text, re.IGNORECASE)
        ]
    )


def awaits(node: ast.AST) -> bool:
    return any(
        isinstance(below, ast.Await | ast.AsyncFor | ast.AsyncWith) for below in ast.walk(node)
    )


def test_every_coroutine_says_what_a_cancellation_does() -> None:
    coroutines = {
        thing.name: thing for thing in THINGS if isinstance(thing.node, ast.AsyncFunctionDef)
    }
    silent = {name for name, one in coroutines.items() if not re.search("[Cc]ancel", one.text)}
    complain(
        [f"{name} does not say what a cancellation does" for name in silent - NOTHING_TO_SAY]
        + [f"{name} need not be on the list" for name in NOTHING_TO_SAY - silent]
        + [f"{name} awaits" for name in NOTHING_TO_SAY & silent if awaits(coroutines[name].node)]
    )


def exception_named(name: str) -> type[BaseException] | None:
    for home in (nanobanana_async, bulk, emulator, builtins):
        found = getattr(home, name, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
    return None


def documented(thing: Thing) -> Iterator[str]:
    """Name what its docstring says that it raises, in a section or in the text."""
    for names in thing.sections.get("Raises", {}):
        yield from names.split(", ")
    yield from re.findall(r"`(\w+Error)`", thing.text)


def test_what_is_said_to_be_raised_exists() -> None:
    complain(
        [
            f"{thing.name}: there is no exception {name}"
            for thing in THINGS
            for name in documented(thing)
            if exception_named(name) is None
        ]
    )


def test_what_is_raised_is_said() -> None:
    missing = []
    for thing in THINGS:
        said = tuple(kind for name in documented(thing) if (kind := exception_named(name)))
        for name in thing.raised() - {"StopAsyncIteration"}:
            kind = exception_named(name)
            if kind is not None and not issubclass(kind, said):
                missing.append(f"{thing.name} raises {name}, and does not say so")
    complain(missing)


def refuses(cls: ast.ClassDef) -> bool:
    """Tell whether a value class looks at what it is given."""
    has_validators = any(
        isinstance(node, ast.keyword) and node.arg == "validator" for node in ast.walk(cls)
    )
    return has_validators or any(
        isinstance(node, ast.FunctionDef)
        and node.name == "__attrs_post_init__"
        and any(isinstance(below, ast.Raise) for below in ast.walk(node))
        for node in cls.body
    )


def test_a_value_that_refuses_what_makes_no_sense_says_so() -> None:
    complain(
        [
            f"{thing.name} does not say what it raises for what makes no sense"
            for thing in THINGS
            if isinstance(thing.node, ast.ClassDef)
            and refuses(thing.node)
            and not {"ValueError", "TypeError"} & set(documented(thing))
        ]
    )


def test_a_protocol_says_what_its_implementer_owes() -> None:
    complain(
        [
            f"{thing.name} does not say what whoever implements it owes"
            for thing in THINGS
            if isinstance(thing.node, ast.ClassDef)
            and "Protocol" in {ast.unparse(base) for base in thing.node.bases}
            and "implements it owes" not in thing.doc
        ]
    )
