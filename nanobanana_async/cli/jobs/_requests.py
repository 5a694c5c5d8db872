"""From what was typed to requests that keep every rule, and to task ids."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click
from attrs import evolve

from nanobanana_async import ImageRequest, NanoBananaClient
from nanobanana_async.cli.jobs._references import as_extra


def requests_of(
    prompts: Sequence[str], fields: Mapping[str, Any], client: NanoBananaClient
) -> list[ImageRequest]:
    """Return a request for each prompt.

    Raises:
        click.UsageError: there is no prompt, or an option makes no sense.
        InvalidRequestError: a rule of the API is broken.
    """
    texts = list(_texts(prompts))
    if not texts:
        raise click.UsageError("no prompt on standard input")
    if any(text and not text.strip() for text in texts):
        raise click.UsageError("a prompt holds blanks alone")
    if len(texts) > 1 and "key" in fields:
        raise click.UsageError("--key names one picture, and there are several prompts")
    template = _template(fields)
    requests = [evolve(template, prompt=text) for text in texts]
    for request in requests:
        client.check(request)
    return requests


def task_ids_of(task_ids: Sequence[str]) -> list[str]:
    """Return the ids, each once.

    Raises:
        click.UsageError: there is none.
    """
    known = list(dict.fromkeys(filter(None, _texts(task_ids))))
    if not known:
        raise click.UsageError("no task id: neither typed nor on standard input")
    return known


def _lines_of_stdin() -> Iterator[str]:
    if sys.stdin is None:  # closed by whoever started us
        return
    sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict")  # type: ignore[union-attr]
    try:
        yield from filter(None, map(str.strip, sys.stdin))
    except UnicodeDecodeError:
        raise click.UsageError("standard input is no text in UTF-8") from None


def _texts(typed: Iterable[str]) -> Iterator[str]:
    """Yield what was typed; in place of a - the lines of standard input that hold something."""
    for text in typed:
        if text == "-":
            yield from _lines_of_stdin()
        else:
            yield text


def _template(fields: Mapping[str, Any]) -> ImageRequest:
    known = {name: value for name, value in fields.items() if name != "image_files"}
    if "extra" in known:
        known["extra"] = _object(known["extra"])
    if "image_files" in fields:
        references = as_extra(fields["image_files"], known.pop("image_urls", ()))
        known["extra"] = references | known.get("extra", {})
    return ImageRequest("", **known)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--extra is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise click.UsageError("--extra must be an object, such as '{\"seed\": 7}'")
    return value
