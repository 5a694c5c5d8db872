"""How public names are shown: as a user reads them, not as Sphinx would by itself."""

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.pycode import ModuleAnalyzer

_GOOGLE: Any = Config(napoleon_use_ivar=True, napoleon_use_rtype=False)
# The default of options that fall back to the client's own.
_UNSET = re.compile(r"(?:~?[\w.]*\._Unset|_Unset) \| ")
# A default that Python could not read again: one such, and Sphinx shows the whole signature raw.
_NAMELESS = re.compile(r"= (?:NOTHING|<.*?>+)(?=[,)])")
# What the library alone makes; their docstrings say where.
HANDED_OUT = ("GenerateMany", "Resumption", "Task", "WebhookReceiver")


def _read(_: Sphinx) -> None:
    """Errors call the package itself their module: let their attributes be found in it."""
    errors = ModuleAnalyzer.for_module("nanobanana_async._errors")
    errors.analyze()
    package = ModuleAnalyzer.for_module("nanobanana_async")
    package.analyze()
    package.attr_docs.update(errors.attr_docs)
    package.annotations.update(errors.annotations)
    package.tagorder.update(errors.tagorder)


def readable(signature: str) -> str:
    """Return it without what is nothing to a reader, so that it is Python."""
    return _NAMELESS.sub("= ...", _UNSET.sub("", signature))


def is_made_by_users(thing: Any) -> bool:
    """Whether how it is made is worth telling: nobody makes a protocol, nor what is handed out."""
    return not (getattr(thing, "_is_protocol", False) or thing.__name__ in HANDED_OUT)


def _plain(*event: Any) -> tuple[str | None, str | None]:
    _, what, name, thing, _, signature, returned = event
    if name.startswith("nanobanana_async.pytest_plugin."):  # pytest hands a fixture what it needs
        return "()", returned
    if what == "exception":  # they are caught, not made
        return signature and "", None
    if what == "class" and not is_made_by_users(thing):
        return "", returned
    return signature and readable(signature), returned


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
    app.connect("builder-inited", _read)
    app.connect("autodoc-process-signature", _plain)
    app.connect("autodoc-process-docstring", _google)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
