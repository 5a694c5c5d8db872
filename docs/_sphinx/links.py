"""Follows each link of the built site, as far as it stays in it.

Broken ones are warnings, and so is whatever a page would load from elsewhere: it must work without
a network. Links that lead outside are listed in external-links.txt, since nobody may be there to
answer where the site is built.
"""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util.logging import getLogger

_LOG = getLogger(__name__)
# What a browser fetches by itself.
_LOADED = {("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src")}
_LOADED_KINDS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload"}


class Page(HTMLParser):
    """The addresses in a page, and the places in it that others can link to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.loaded: set[str] = set()
        self.linked: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        values = {name: value or "" for name, value in attrs}
        self.places.update(values[name] for name in ("id", "name") if name in values)
        self.loaded.update(values[name] for of, name in _LOADED if of == tag and name in values)
        if "href" in values:
            kinds = set(values.get("rel", "").split()) if tag == "link" else set()
            (self.loaded if kinds & _LOADED_KINDS else self.linked).add(values["href"])


def _complaints(site: Path, pages: dict[Path, Page], path: Path) -> Iterator[str]:
    page = pages[path]
    for address in sorted(page.loaded | page.linked):
        url = urlsplit(address)
        if url.scheme or url.netloc:
            if address in page.loaded and url.scheme != "data":
                yield f"would load {address}"
            continue
        goal = (path.parent / unquote(url.path)).resolve() if url.path else path
        if not goal.is_file() or not goal.is_relative_to(site):
            yield f"leads nowhere: {address}"
        elif goal in pages and unquote(url.fragment) not in {"", *pages[goal].places}:
            yield f"names a place that is not there: {address}"


def _check(app: Sphinx, failure: Exception | None) -> None:
    if failure is not None or app.builder.name != "html":
        return
    site = Path(app.outdir).resolve()
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    outside: dict[str, list[str]] = {}
    for path, page in pages.items():
        name = str(path.relative_to(site))
        for complaint in _complaints(site, pages, path):
            _LOG.warning("%s %s", name, complaint)
        for address in page.linked:
            if urlsplit(address).netloc:
                outside.setdefault(address, []).append(name)
    lines = [f"{address}  {' '.join(outside[address])}\n" for address in sorted(outside)]
    (site.parent / "external-links.txt").write_text("".join(lines))
    _LOG.info("%d pages; %d addresses elsewhere, listed only", len(pages), len(lines))


def setup(app: Sphinx) -> dict[str, Any]:
    """Join the build."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
