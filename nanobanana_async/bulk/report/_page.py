"""Puts the page together: one file with its style, its script and its data inside."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Final, TextIO

_PAGE: Final = files(__package__).joinpath("page")

# In this order, since one names what an earlier one holds.
_SCRIPTS: Final = ("data", "query", "sheet", "viewer", "failures", "main")

_SLOT: Final = re.compile(r"\{\{(\w+)\}\}")

# ASCII alone: line separators and halves of character pairs are escaped too.
_JSON: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)

Part = str | Callable[[TextIO], None]


def safe_json(value: object) -> str:
    """Return JSON in plain ASCII that stays data wherever it stands in a page.

    In JSON these three stand in texts only. Escaped, they begin no tag, comment or entity.
    """
    written = _JSON.encode(value)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def style() -> str:
    """Return the whole style."""
    return _read("page.css")


def script() -> str:
    """Return the whole script: a few files, one thing each, in one scope."""
    return "\n".join(_read(f"{name}.js") for name in _SCRIPTS)


def policy() -> str:
    """Return the page's Content-Security-Policy: no network, and no script or style but its own.

    'self' are pictures beside a page that a server hands out, and file: those of one on a disk.
    """
    rules = {
        "default-src": "'none'",
        "img-src": "'self' file: data:",
        "style-src": _digest(style()),
        "script-src": _digest(script()),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def write_page(target: TextIO, parts: Mapping[str, Part]) -> None:
    """Write the page, each slot filled. What fills one is never looked through for slots."""
    filled = {"policy": policy(), "style": style(), "script": script(), **parts}
    pieces = _SLOT.split(_read("page.html"))
    for plain, name in zip(pieces[::2], [*pieces[1::2], None], strict=True):
        target.write(plain)
        part = filled[name] if name else ""
        if callable(part):
            part(target)
        else:
            target.write(part)


def _digest(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return _PAGE.joinpath(name).read_text("utf-8").replace("\r\n", "\n")
