"""The site's contents: what an index lists under a heading, in the order in which it lists it.

So that an index is an ordinary list of links in the repository, and nothing has to be said twice.
"""

import re
from typing import Any

from sphinx.application import Sphinx

_SECTION = re.compile(r"^## (?P<caption>.+?)\n(?P<body>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_LISTED = re.compile(r"^- \[[^]]+\]\((?P<page>[^):#]+)\.md\)", re.MULTILINE)


def _add_contents(_: Sphinx, docname: str, source: list[str]) -> None:
    if docname.rpartition("/")[2] != "index":
        return
    for section in _SECTION.finditer(source[0]):
        pages = _LISTED.findall(section["body"])
        if pages:
            head = f"```{{toctree}}\n:hidden:\n:caption: {section['caption']}\n\n"
            source[0] += f"\n\n{head}" + "\n".join(pages) + "\n```\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Join the build."""
    app.connect("source-read", _add_contents)
    return {"parallel_read_safe": True}
