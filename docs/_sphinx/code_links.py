"""A name in a page or a docstring, `NanoBananaClient` or `client.resume()`, leads to the reference."""

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import desc, pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

_PACKAGE = "nanobanana_async"
_CLIENT = f"{_PACKAGE}.NanoBananaClient"
_PLACES = (_PACKAGE, *(f"{_PACKAGE}.{each}" for each in ("bulk", "emulator", "telemetry")))
# A name, perhaps called; what it is called with does not matter.
_NAMED = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(?P<called>\(.*\))?")


def target_of(code: str, known: set[str]) -> str | None:
    """Return the public name that a piece of inline code means, if it is one."""
    named = _NAMED.fullmatch(code)
    if named is None:
        return None
    name = named["name"]
    candidates = [name, f"{_PACKAGE}.{name}"] if "." in name else []
    if name.startswith("client."):
        candidates.append(f"{_CLIENT}.{name.removeprefix('client.')}")
    elif name[0].isupper():
        candidates += [f"{place}.{name}" for place in _PLACES]
    elif named["called"] or "_" in name:
        candidates.append(f"{_CLIENT}.{name}")
    return next((each for each in candidates if each in known), None)


def _is_within(node: nodes.Node | None) -> bool:
    """Whether it stands in a docstring, a title or another link."""
    while node is not None:
        if isinstance(node, desc | nodes.title | nodes.reference | pending_xref):
            return True
        node = node.parent
    return False


class CodeLinks(SphinxPostTransform):
    """Turns inline code into references, before references are resolved."""

    default_priority = 5

    def run(self, **_: Any) -> None:
        """Do so but in docstrings, which say themselves what is a name."""
        known = set(self.env.domains.python_domain.objects)
        for literal in list(self.document.findall(nodes.literal)):
            target = None if _is_within(literal) else target_of(literal.astext(), known)
            if target is not None:
                link = pending_xref(
                    "",
                    refdomain="py",
                    reftype="obj",
                    reftarget=target,
                    refdoc=self.env.docname,
                    refexplicit=True,
                )
                literal.replace_self(link)
                link += literal


def _elsewhere(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.TextElement
) -> nodes.reference | None:
    """In a docstring, a name of another package of ours."""
    domain = env.domains.python_domain
    if node.get("reftype") != "obj" or node.get("refdomain") != domain.name:
        return None
    target = target_of(node["reftarget"], set(domain.objects))
    if target is None:
        return None
    page = env.current_document.docname
    return domain.resolve_xref(env, page, app.builder, "obj", target, node, shown)


def setup(app: Sphinx) -> dict[str, Any]:
    """Join the build."""
    app.add_post_transform(CodeLinks)
    app.connect("missing-reference", _elsewhere)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
