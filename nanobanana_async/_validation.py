"""A request against the rules of its model: all faults at once, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from nanobanana_async._errors import FieldFault, InvalidRequestError
from nanobanana_async._models import ImageRequest
from nanobanana_async._specs import MODELS, ModelSpec

__all__ = ["checked"]

_SHOWN = 80
_MODES = ("text-to-image", "image-to-image")


def checked(request: ImageRequest, default_model: str) -> ModelSpec:
    """Return the rules of the request's model, or raise `InvalidRequestError`."""
    model = default_model if request.model is None else request.model
    spec = MODELS.get(model) if isinstance(model, str) else None
    faults = list(_faults(request))
    if spec is None:
        faults.append(_fault("model", model, _one_of(tuple(MODELS))))
    else:
        faults += _faults_by_model(request, spec)
    if spec is None or faults:
        raise InvalidRequestError("; ".join(map(str, faults)), faults=faults)
    return spec


def _faults_by_model(request: ImageRequest, spec: ModelSpec) -> Iterator[FieldFault]:
    yield from _prompt(request, spec)
    yield from _references(request, spec)
    yield from _choice("aspect_ratio", request.aspect_ratio, spec.aspect_ratios)
    yield from _choice("resolution", request.resolution, spec.resolutions)
    yield from _choice("output_format", request.output_format, spec.output_formats)
    yield from _choice("provider", request.provider, spec.providers)


def _faults(request: ImageRequest) -> Iterator[FieldFault]:
    """Rules that hold for every model."""
    yield from _choice("mode", request.mode, _MODES)
    if not isinstance(request.google_search, bool):
        yield _fault("google_search", request.google_search, "True or False")
    if request.callback_url is not None and not _is_url(request.callback_url, ("https",)):
        yield _fault("callback_url", request.callback_url, "a public https:// URL")
    if not (request.key is None or isinstance(request.key, str)):
        yield _fault("key", request.key, "a string")
    if not _is_json_object(request.extra):
        yield _fault("extra", request.extra, "a mapping that JSON can hold")


def _prompt(request: ImageRequest, spec: ModelSpec) -> Iterator[FieldFault]:
    prompt = request.prompt
    allowed = f"text of 1 to {spec.prompt_limit:,} characters"
    if not isinstance(prompt, str):
        yield _fault("prompt", prompt, allowed)
    elif not 1 <= len(prompt) <= spec.prompt_limit:
        yield _fault("prompt", prompt, f"{allowed} (it has {len(prompt):,})")
    elif not _encodes(prompt):
        yield _fault("prompt", prompt, "text without lone surrogates")


def _references(request: ImageRequest, spec: ModelSpec) -> Iterator[FieldFault]:
    urls = request.image_urls
    limit = spec.reference_limit
    if not isinstance(urls, tuple):
        yield _fault("image_urls", urls, "a list of URLs")
        return
    if request.mode == "image-to-image" and not urls:
        yield _fault("image_urls", [], f"1 to {limit} URLs where mode is image-to-image")
    if request.mode == "text-to-image" and urls:
        yield _fault("image_urls", list(urls), "empty where mode is text-to-image")
    if len(urls) > limit:
        yield _fault("image_urls", list(urls), f"at most {limit} URLs (there are {len(urls)})")
    for number, url in enumerate(urls):
        if not _is_url(url, ("http", "https")):
            yield _fault(f"image_urls[{number}]", url, "an http(s):// URL")


def _choice(name: str, value: Any, allowed: tuple[str, ...]) -> Iterator[FieldFault]:
    if value is None or value in allowed:
        return
    yield _fault(name, value, _one_of(allowed) if allowed else "left out: this model has none")


def _is_url(value: Any, schemes: tuple[str, ...]) -> bool:
    if not isinstance(value, str) or not _encodes(value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname)


def _encodes(text: str) -> bool:
    return _holds(text.encode)


def _is_json_object(value: Any) -> bool:
    # `allow_nan`: NaN is no JSON, though Python writes it.
    return _holds(lambda: json.dumps({**value}, allow_nan=False, ensure_ascii=False).encode())


def _holds(make: Callable[[], object]) -> bool:
    try:
        make()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _one_of(allowed: tuple[str, ...]) -> str:
    return "one of " + ", ".join(allowed)


def _fault(name: str, value: Any, allowed: str) -> FieldFault:
    shown = repr(value)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}…"
    return FieldFault(name, shown, allowed)
