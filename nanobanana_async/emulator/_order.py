"""Reads the body of a submit, strictly: what the API's pages do not allow is refused.

Required are `input` and in it mode, prompt, aspect_ratio and, where the model has it, resolution.
A field that is there with null is wrong: only absence means the default.
"""

import json
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Any

from attrs import frozen

from nanobanana_async.emulator._references import host_of, is_reference
from nanobanana_async.emulator._rules import (
    ASPECT_RATIOS,
    BODY_FIELDS,
    FORMATS,
    INPUT_FIELDS,
    MODES,
    PROVIDERS,
    REQUEST_TYPES,
    ModelRules,
)


class InvalidOrderError(ValueError):
    """A field breaks its rule; the text names both."""

    def __init__(self, *, field: str, rule: str) -> None:
        """`field` is the path in the body, such as `input.prompt`."""
        super().__init__(f"{field}: {rule}")


@frozen
class Order:
    """A submit that keeps every rule, normalised."""

    prompt: str
    aspect_ratio: str
    resolution: str
    """`1K` where the model has no such field."""
    format: str
    """`png` or `jpeg`."""
    image_urls: tuple[str, ...]
    callback_url: str | None
    """None unless the order asked for a callback."""


def read_order(
    body: bytes,
    rules: ModelRules,
    extra_fields: Collection[str] = (),
    *,
    data_urls: bool = False,
) -> Order:
    """Read a submit's body; raise InvalidOrderError for the first rule that it breaks."""
    document = _parse(body)
    _refuse_unknown("", document, BODY_FIELDS)
    _one_of("provider", document.get("provider", "auto"), PROVIDERS)
    callback_url = _callback_url(document)
    fields = document.get("input")
    if not isinstance(fields, dict):
        raise InvalidOrderError(field="input", rule="a required object")
    _refuse_unknown("input.", fields, _known_fields(rules, extra_fields))
    if not isinstance(fields.get("google_search", False), bool):
        raise InvalidOrderError(field="input.google_search", rule="true or false")
    output_format = _one_of("input.output_format", fields.get("output_format", "png"), FORMATS)
    return Order(
        prompt=_prompt(fields, rules),
        aspect_ratio=_one_of("input.aspect_ratio", fields.get("aspect_ratio"), ASPECT_RATIOS),
        resolution=_resolution(fields, rules),
        format="jpeg" if output_format == "jpg" else output_format,
        image_urls=_image_urls(fields, rules, data_urls=data_urls),
        callback_url=callback_url,
    )


def _parse(body: bytes) -> dict[str, Any]:
    try:
        # Decoded first: JSON between systems is UTF-8, and nothing has to be guessed.
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidOrderError(field="body", rule="a JSON object")
    return document


def _known_fields(rules: ModelRules, extra_fields: Collection[str]) -> frozenset[str]:
    known = INPUT_FIELDS if rules.resolutions else INPUT_FIELDS - {"resolution"}
    return known.union(extra_fields)


def _refuse_unknown(where: str, fields: Mapping[str, Any], known: frozenset[str]) -> None:
    if unknown := fields.keys() - known:
        raise InvalidOrderError(field=f"{where}{min(unknown)}", rule="unknown field")


def _one_of(name: str, value: object, allowed: frozenset[str]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise InvalidOrderError(field=name, rule=f"one of {', '.join(sorted(allowed))}")
    return value


def _prompt(fields: Mapping[str, Any], rules: ModelRules) -> str:
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= rules.longest_prompt:
        rule = f"1 to {rules.longest_prompt} characters"
        raise InvalidOrderError(field="input.prompt", rule=rule)
    return prompt


def _resolution(fields: Mapping[str, Any], rules: ModelRules) -> str:
    if not rules.resolutions:
        return "1K"
    value = fields.get("resolution")
    upper = value.upper() if isinstance(value, str) else value
    return _one_of("input.resolution", upper, rules.resolutions)


def _image_urls(
    fields: Mapping[str, Any], rules: ModelRules, *, data_urls: bool
) -> tuple[str, ...]:
    if _one_of("input.mode", fields.get("mode"), MODES) == "text-to-image":
        if "image_urls" in fields:
            raise InvalidOrderError(field="input.image_urls", rule="only with mode image-to-image")
        return ()
    urls = fields.get("image_urls")
    if not isinstance(urls, list) or not 1 <= len(urls) <= rules.most_images:
        rule = f"a list of 1 to {rules.most_images} URLs"
        raise InvalidOrderError(field="input.image_urls", rule=rule)
    if not all(is_reference(url, data_urls=data_urls) for url in urls):
        raise InvalidOrderError(field="input.image_urls", rule="http or https URLs")
    return tuple(urls)


def _callback_url(document: Mapping[str, Any]) -> str | None:
    kind = _one_of("request_type", document.get("request_type", "async"), REQUEST_TYPES)
    if "callback_url" not in document:
        if kind == "callback":
            raise InvalidOrderError(field="callback_url", rule="required for request_type callback")
        return None
    url = document["callback_url"]
    if not isinstance(url, str) or not (
        host_of(url, "https") or _is_loopback(host_of(url, "http"))
    ):
        raise InvalidOrderError(field="callback_url", rule="an https URL, or http on loopback")
    return url if kind == "callback" else None


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "localhost":
        return host is not None
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
