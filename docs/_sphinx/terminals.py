"""Pictures of a terminal keep a size at which they can be read, and scroll where that is too wide."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_FOLDER = "terminal/"


def _mark(_: Sphinx, document: nodes.document) -> None:
    """Give the paragraph of each a class, of which site.css makes a box that scrolls."""
    for image in document.findall(nodes.image):
        if _FOLDER in image["uri"]:
            image.parent["classes"].append("terminal")


def setup(app: Sphinx) -> dict[str, Any]:
    """Join the build."""
    app.connect("doctree-read", _mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
