"""Shows public names where users import them from, though they are written elsewhere.

`nanobanana_async.Limits` is written in `nanobanana_async._limits`. Sphinx reads the docstrings of
attributes from the source of the module that a class names as its own; here it is given those of
the private modules as well.
"""

import re
import sys
from importlib import import_module
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.pycode import ModuleAnalyzer

PACKAGES = (
    "nanobanana_async",
    "nanobanana_async.bulk",
    "nanobanana_async.bulk.report",
    "nanobanana_async.emulator",
    "nanobanana_async.telemetry",
)
_GOOGLE: Any = Config(napoleon_use_ivar=True, napoleon_use_rtype=False)
# The default of options that fall back to the client's own.
_UNSET = re.compile(r"(?:~?[\w.]*\._Unset|_Unset) \| ")


def _claim(package: str) -> None:
    """Have each public name say that it is the package's, as those at the top do anyway."""
    module = import_module(package)
    for name in module.__all__:
        thing = getattr(module, name)
        if isinstance(thing, type) or callable(thing):
            thing.__module__ = package


def _read(package: str) -> None:
    whole = ModuleAnalyzer.for_module(package)
    whole.analyze()
    private = re.compile(rf"{re.escape(package)}\._\w+")
    for name in [each for each in sys.modules if private.fullmatch(each)]:
        part = ModuleAnalyzer.for_module(name)
        part.analyze()
        whole.attr_docs.update(part.attr_docs)
        whole.annotations.update(part.annotations)
        whole.finals.extend(part.finals)
        whole.overloads.update(part.overloads)
        whole.tagorder.update(part.tagorder)


def _prepare(_: Sphinx) -> None:
    for package in PACKAGES:
        _claim(package)
        _read(package)


def _plain(*event: Any) -> tuple[str | None, str | None]:
    _, what, *_, signature, returned = event
    if what == "exception":  # they are caught, not made
        return signature and "", None
    if signature:
        signature = _UNSET.sub("", signature).replace("= NOTHING", "= ...")
    return signature, returned


def _google(*event: Any) -> None:
    """Napoleon takes what stands before an attribute's first colon for its type: here it is text."""
    app, what, name, thing, options, lines = event
    kind: Any = "method" if what in {"attribute", "data", "property"} else what
    lines[:] = GoogleDocstring(lines, _GOOGLE, app, kind, name, thing, options).lines()


def _skip(*event: Any) -> bool | None:
    """Leave out what only the library itself needs."""
    return True if event[2] == "default_advice" else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Join the build."""
    app.connect("builder-inited", _prepare)
    app.connect("autodoc-process-signature", _plain)
    app.connect("autodoc-process-docstring", _google)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
