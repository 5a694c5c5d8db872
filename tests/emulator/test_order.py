"""Every rule of a submit, for both models, through the core's front door."""

from typing import Any

import pytest

from nanobanana_async.emulator._order import Order, read_order
from nanobanana_async.emulator._rules import ASPECT_RATIOS, MODELS

from .driver import Account, body, envelope

IMAGE = "https://example.com/cat.png"
RATIOS = ["auto", "1:1", "1:4", "4:1", "1:8", "8:1", "3:2", "2:3"]
RATIOS += ["3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"]


def short(case: Any) -> str:
    return str(case)[:80]


def with_images(*urls: Any, **changes: Any) -> dict[str, Any]:
    return body(mode="image-to-image", image_urls=list(urls), **changes)


def with_callback(url: Any) -> dict[str, Any]:
    return body() | {"request_type": "callback", "callback_url": url}


def without_prompt() -> dict[str, Any]:
    document = body()
    del document["input"]["prompt"]
    return document


def older(**changes: Any) -> dict[str, Any]:
    return body(resolution=None, **changes)


def refused_field(document: Any, model: str = "nano-banana-2") -> str:
    answer = envelope(Account().submit(0, document, model=model), 400)
    assert answer["message"] == "Invalid parameters"
    field, rule = answer["data"]["error"].split(": ", 1)
    assert rule
    return str(field)


def test_the_aspect_ratios_are_those_of_the_documentation() -> None:
    assert sorted(RATIOS) == sorted(ASPECT_RATIOS)


@pytest.mark.parametrize(
    "document",
    [
        *(body(aspect_ratio=ratio) for ratio in RATIOS),
        *(body(resolution=resolution) for resolution in ("1K", "2K", "4K", "1k", "2k", "4k")),
        *(body(output_format=form) for form in ("png", "jpeg", "jpg")),
        *(body(google_search=value) for value in (True, False)),
        *(body() | {"provider": provider} for provider in ("auto", "value", "official")),
        body(prompt="x"),
        body(prompt="x" * 20_000),
        body(prompt="🐈" * 20_000),
        with_images(IMAGE),
        with_images(*[IMAGE] * 14),
        with_images("http://example.com/cat.png"),
        body() | {"request_type": "async"},
        with_callback("https://example.com/hook?t=1"),
        with_callback("http://127.0.0.1:9/hook"),
        with_callback("http://localhost/hook"),
        with_callback("http://[::1]:9/hook"),
        body() | {"callback_url": "https://example.com/hook"},
    ],
    ids=short,
)
def test_nano_banana_2_takes(document: dict[str, Any]) -> None:
    assert Account().accepted(0, document).startswith("task_")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "body"),
        ("text", "body"),
        ({}, "input"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        (body() | {"model": "x"}, "model"),
        (body(negative_prompt="x"), "input.negative_prompt"),
        (body(mode=None), "input.mode"),
        (body(mode="text-to-video"), "input.mode"),
        (body(mode=1), "input.mode"),
        (without_prompt(), "input.prompt"),
        (body(prompt=""), "input.prompt"),
        (body(prompt="x" * 20_001), "input.prompt"),
        (body(prompt=["x"]), "input.prompt"),  # type: ignore[arg-type]
        (body(aspect_ratio=None), "input.aspect_ratio"),
        (body(aspect_ratio="7:5"), "input.aspect_ratio"),
        (body(aspect_ratio="AUTO"), "input.aspect_ratio"),
        (body(aspect_ratio=1), "input.aspect_ratio"),
        (body(resolution=None), "input.resolution"),
        (body(resolution="8K"), "input.resolution"),
        (body(resolution=2), "input.resolution"),
        (body(output_format="webp"), "input.output_format"),
        (body(output_format="PNG"), "input.output_format"),
        (body(google_search="true"), "input.google_search"),
        (body(google_search=1), "input.google_search"),
        (body(image_urls=[IMAGE]), "input.image_urls"),
        (body(image_urls=[]), "input.image_urls"),
        (body(mode="image-to-image"), "input.image_urls"),
        (with_images(), "input.image_urls"),
        (with_images(*[IMAGE] * 15), "input.image_urls"),
        (with_images(IMAGE, 1), "input.image_urls"),
        (with_images("cat.png"), "input.image_urls"),
        (with_images("ftp://example.com/cat.png"), "input.image_urls"),
        (with_images("https:///cat.png"), "input.image_urls"),
        (with_images("http://[::1/cat.png"), "input.image_urls"),
        (with_images("data:image/png;base64,AAAA"), "input.image_urls"),
        (body(mode="image-to-image", image_urls=IMAGE), "input.image_urls"),
        (body() | {"provider": "cheap"}, "provider"),
        (body() | {"provider": None}, "provider"),
        (body() | {"request_type": "sync"}, "request_type"),
        (body() | {"request_type": "callback"}, "callback_url"),
        (with_callback(1), "callback_url"),
        (with_callback("/hook"), "callback_url"),
        (with_callback("https:///hook"), "callback_url"),
        (with_callback("http://example.com/hook"), "callback_url"),
        (with_callback("http://128.0.0.1/hook"), "callback_url"),
        (body() | {"callback_url": "http://example.com/hook"}, "callback_url"),
    ],
    ids=short,
)
def test_nano_banana_2_refuses(document: Any, field: str) -> None:
    assert refused_field(document) == field


@pytest.mark.parametrize(
    "field", ["mode", "prompt", "aspect_ratio", "resolution", "output_format", "google_search"]
)
def test_null_is_no_default(field: str) -> None:
    document = body()
    document["input"][field] = None
    assert refused_field(document) == f"input.{field}"


@pytest.mark.parametrize(
    "document",
    [older(), older(prompt="x" * 5_000), older(output_format="jpg"), older(google_search=True)],
    ids=short,
)
def test_nano_banana_takes(document: dict[str, Any]) -> None:
    Account().accepted(0, document, model="nano-banana")


def test_nano_banana_takes_five_images() -> None:
    document = with_images(*[IMAGE] * 5, resolution=None)
    Account().accepted(0, document, model="nano-banana")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (body(), "input.resolution"),
        (older(prompt="x" * 5_001), "input.prompt"),
        (with_images(*[IMAGE] * 6, resolution=None), "input.image_urls"),
    ],
    ids=short,
)
def test_nano_banana_refuses(document: Any, field: str) -> None:
    assert refused_field(document, "nano-banana") == field


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000], ids=repr)
def test_a_body_that_is_no_json_is_refused(content: bytes) -> None:
    answer = Account().send(0, "POST", "/api/v1/generateTask/nano-banana-2", content=content)
    assert envelope(answer, 400)["data"]["error"] == "body: a JSON object"


def test_extra_fields_are_let_in_where_the_settings_say_so() -> None:
    Account(extra_fields=["style"]).accepted(0, body(style={"any": 1}))
    assert refused_field(body(style={"any": 1})) == "input.style"


def test_data_urls_are_let_in_where_the_settings_say_so() -> None:
    document = with_images("data:image/png;base64,iVBORw0KGgo=", IMAGE)
    Account(data_urls=True).accepted(0, document)
    assert refused_field(document) == "input.image_urls"


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,",
        "data:image/png;base64,iVBORw0KGgo",
        "data:image/png,iVBORw0KGgo=",
        "data:image/gif;base64,iVBORw0KGgo=",
        "data:text/html;base64,iVBORw0KGgo=",
        "data:image/jpeg;base64," + "A" * 13_333_336,
    ],
    ids=short,
)
def test_no_image_in_a_data_url_is_refused(url: str) -> None:
    answer = Account(data_urls=True).submit(0, with_images(url))
    assert envelope(answer, 400)["data"]["error"].startswith("input.image_urls: ")


def test_an_order_is_normalised() -> None:
    content = (
        b'{"request_type": "async", "callback_url": "https://example.com/hook", "input": {'
        b'"mode": "image-to-image", "prompt": "x", "aspect_ratio": "auto", "resolution": "2k",'
        b'"output_format": "jpg", "image_urls": ["https://example.com/a"]}}'
    )
    assert read_order(content, MODELS["nano-banana-2"]) == Order(
        prompt="x",
        aspect_ratio="auto",
        resolution="2K",
        format="jpeg",
        image_urls=("https://example.com/a",),
        callback_url=None,
    )


def test_a_refused_order_starts_nothing() -> None:
    account = Account(concurrent_tasks=1, balance=0.04)
    envelope(account.submit(0, body(prompt="")), 400)
    account.accepted(0)
    assert account.core.ledger(0).accepted == 1
