"""Local files as reference images: data: URLs, which the vendor does not document."""

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

_LONGEST: Final = 10_000_000
"""Bytes; the vendor's page on failures says 10 MB."""


def data_url(file: Path) -> str:
    """Return a file as a data: URL.

    Raises:
        click.UsageError: it cannot be read, or is no picture that the API takes.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(_LONGEST + 1)
    except OSError as error:
        raise click.UsageError(f"--image-file {file}: {error.strerror}") from None
    if len(content) > _LONGEST:
        raise click.UsageError(f"--image-file {file}: larger than 10 MB, which the API refuses")
    kind = _kind(content)
    if kind is None:
        raise click.UsageError(f"--image-file {file}: no PNG, JPEG or WebP")
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def as_extra(files: Sequence[Path], urls: Sequence[str]) -> dict[str, object]:
    """Return what makes a request refer to files, and to URLs behind them.

    As extra fields, which are sent without a check: by the API's rules a reference is an http URL.
    """
    return {"mode": "image-to-image", "image_urls": [*map(data_url, files), *urls]}


def _kind(content: bytes) -> str | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return None
