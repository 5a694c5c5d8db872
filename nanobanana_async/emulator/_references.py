"""Reference images in the body of a submit: URLs, and where the settings say so, the images themselves.

The vendor documents URLs alone. Public clients send `data:` URLs of local files, too.
"""

import binascii
import re
from base64 import b64decode
from typing import Final
from urllib.parse import urlsplit

_DATA: Final = re.compile(r"data:image/(?:png|jpeg|webp);base64,")
_LONGEST: Final = 10_000_000
"""Bytes of an image: more is IMAGE_TOO_LARGE by the vendor's page."""


def is_reference(url: object, *, data_urls: bool) -> bool:
    """Tell whether it can be one."""
    if not isinstance(url, str):
        return False
    return bool(host_of(url, "http", "https")) or (data_urls and _holds_an_image(url))


def host_of(url: str, *schemes: str) -> str | None:
    """Return the URL's host, or None where it has none or another scheme."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.hostname if parts.scheme in schemes else None


def _holds_an_image(url: str) -> bool:
    head = _DATA.match(url)
    if head is None:
        return False
    try:
        return 0 < len(b64decode(url[head.end() :], validate=True)) <= _LONGEST
    except (binascii.Error, ValueError):
        return False
