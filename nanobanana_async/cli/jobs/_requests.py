"""From what was typed to requests that keep every rule."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from attrs import evolve

from nanobanana_async import ImageRequest, NanoBananaClient
from nanobanana_async.cli.jobs._references import as_extra
from nanobanana_async.cli.jobs._typed import spread


def requests_of(
    prompts: Sequence[str], fields: Mapping[str, Any], client: NanoBananaClient
) -> list[ImageRequest]:
    """Return a request for each prompt.

    Raises:
        click.UsageError: there is no prompt, or an option makes no sense.
        InvalidRequestError: a rule of the API is broken.
    """
    texts = list(spread(prompts))
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
