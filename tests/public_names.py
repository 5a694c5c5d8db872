"""Every public name with all that belongs to it, read from the source: nothing is imported."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Final, TypeAlias

from attrs import field, frozen

import nanobanana_async

ROOT: Final = Path(nanobanana_async.__file__).parent
PUBLIC: Final[Mapping[str, str]] = {
    "nanobanana_async": "_public.py",
    "nanobanana_async.bulk": "bulk/__init__.py",
    "nanobanana_async.bulk.report": "bulk/report/__init__.py",
    "nanobanana_async.emulator": "emulator/__init__.py",
    "nanobanana_async.telemetry": "telemetry/__init__.py",
    "nanobanana_async.webhooks.aiohttp": "webhooks/aiohttp.py",
    "nanobanana_async.webhooks.asgi": "webhooks/asgi.py",
}
"""By the module that a user imports from, the file that holds its `__all__`."""
SHOWN: Final = frozenset({"__aenter__", "__aexit__", "__anext__", "__await__", "__call__"})
"""What is used without its name."""
MADE_BY_THE_CLIENT: Final = frozenset({"GenerateMany", "Resumption", "Task", "WebhookReceiver"})
"""Classes whose constructor is nobody else's."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@frozen
class Thing:
    """Something public: a class, a function, a method, a field or a constant."""

    name: str
    """As a user would say it, ``nanobanana_async.Task.result``."""
    doc: str
    """Its docstring; of a field also what its class says of it."""
    node: ast.AST
    context: str = ""
    """What its class says, of a constructor."""
    sections: Mapping[str, Mapping[str, str]] = field(init=False)
    """``Args``, ``Attributes``, ``Raises``: text by name."""

    def __attrs_post_init__(self) -> None:
        text = f"{self.doc}\n\n{self.context}"
        object.__setattr__(self, "sections", dict(_sections(text)))

    @property
    def text(self) -> str:
        """All that is said of it."""
        return f"{self.doc}\n{self.context}"

    def parameters(self) -> Iterator[ast.arg]:
        """Each parameter of a function, but for `self` and what is private."""
        if isinstance(self.node, Function):
            arguments = self.node.args
            every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            yield from (one for one in every if one.annotation and not one.arg.startswith("_"))

    def raised(self) -> set[str]:
        """Name what the body of a function raises itself."""
        if not isinstance(self.node, Function):
            return set()
        raises = (node.exc for node in ast.walk(self.node) if isinstance(node, ast.Raise))
        calls = (exc.func for exc in raises if isinstance(exc, ast.Call))
        return {call.id for call in calls if isinstance(call, ast.Name)}


def _sections(doc: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Read the sections of a docstring in Google's style."""
    for head, body in re.findall(
        r"^(Args|Attributes|Raises):\n((?:    .*\n?|\n)+)", doc, re.MULTILINE
    ):
        entries = re.findall(r"^    (\S[^:\n]*): ((?:.*)(?:\n {8}.*)*)", body, re.MULTILINE)
        yield head, dict(entries)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _file_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def names_of(module: str) -> list[str]:
    """Return the `__all__` of a public module."""
    for node in _tree(ROOT / PUBLIC[module]).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    raise LookupError(f"{module} has no __all__")


def _find(path: Path, name: str) -> tuple[Path, ast.stmt, str]:
    """Return where a name is defined, its definition, and the text that stands below it."""
    body = _tree(path).body
    for node, below in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.ClassDef(name=found) | ast.FunctionDef(name=found) if found == name:
                return path, node, ast.get_docstring(node) or ""
            case ast.AsyncFunctionDef(name=found) if found == name:
                return path, node, ast.get_docstring(node) or ""
            case (
                ast.AnnAssign(target=ast.Name(id=found)) | ast.Assign(targets=[ast.Name(id=found)])
            ) if found == name:
                return path, node, _string(below)
            case ast.ImportFrom(module=str(module)) if name in {one.name for one in node.names}:
                return _find(_file_of(module), name)
    raise LookupError(f"{name} is not in {path}")


def _string(node: ast.stmt | None) -> str:
    match node:
        case ast.Expr(ast.Constant(str(text))):
            return cleandoc(text)
    return ""


def things() -> list[Thing]:
    """Return all that is public."""
    return [
        thing for module in PUBLIC for name in names_of(module) for thing in _things(module, name)
    ]


def _things(module: str, name: str) -> Iterator[Thing]:
    path, node, doc = _find(ROOT / PUBLIC[module], name)
    full = f"{module}.{name}"
    yield Thing(full, doc, node)
    if isinstance(node, ast.ClassDef):
        members = _inherited(full, path, node) | {one.name: one for one in _members(full, node)}
        for member in members.values():
            if member.name != f"{full}.__init__" or name not in MADE_BY_THE_CLIENT:
                yield member


def _inherited(full: str, path: Path, cls: ast.ClassDef) -> dict[str, Thing]:
    """What comes from a private class is shown nowhere else."""
    found: dict[str, Thing] = {}
    for base in cls.bases:
        if isinstance(base, ast.Name) and not _is_public(path, base.id):
            where, node, _ = _find(path, base.id)
            if isinstance(node, ast.ClassDef):
                found |= _inherited(full, where, node)
                found |= {one.name: one for one in _members(full, node)}
    return found


def _members(full: str, cls: ast.ClassDef) -> Iterator[Thing]:
    said = ast.get_docstring(cls) or ""
    of_attributes = dict(_sections(said)).get("Attributes", {})
    is_enum = "Enum" in {ast.unparse(base) for base in cls.bases}
    for node, below in zip(cls.body, [*cls.body[1:], None], strict=True):
        match node:
            case ast.FunctionDef(name="__init__"):
                yield Thing(f"{full}.__init__", ast.get_docstring(node) or "", node, said)
                for name in _set_in(node):
                    yield Thing(f"{full}.{name}", of_attributes.get(name, ""), ast.Pass())
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if _is_shown(node):
                yield Thing(f"{full}.{name}", ast.get_docstring(node) or "", node)
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                yield Thing(f"{full}.{name}", _string(below) or of_attributes.get(name, ""), node)
            case ast.Assign(targets=[ast.Name(id=name)]) if is_enum:
                yield Thing(f"{full}.{name}", _string(below), node)


def _is_public(path: Path, name: str) -> bool:
    try:
        where, *_ = _find(path, name)
    except LookupError:
        return True  # not ours
    return any(
        name in names_of(module) and _find(ROOT / PUBLIC[module], name)[0] == where
        for module in PUBLIC
    )


def _is_shown(node: Function) -> bool:
    if any(ast.unparse(decorator).endswith(".setter") for decorator in node.decorator_list):
        return False
    return node.name in SHOWN or not node.name.startswith("_")


def _set_in(init: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(init):
        match node:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]):
                if not name.startswith("_"):
                    yield name
