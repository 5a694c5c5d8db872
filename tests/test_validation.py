"""Every rule of the API, for both models, held against the emulator's rules of its own."""

import json
from contextlib import suppress
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from nanobanana_async import NanoBananaClient
from nanobanana_async._codec import submit_body
from nanobanana_async._errors import FieldFault, InvalidRequestError
from nanobanana_async._models import ImageRequest
from nanobanana_async._specs import DEFAULT_MODEL, MODELS
from nanobanana_async._validation import checked
from nanobanana_async.emulator import Answer, EmulatorCore, Request, Settings

steady = settings(deadline=None, derandomize=True, max_examples=80)

RATIOS = ["auto", "1:1", "1:4", "4:1", "1:8", "8:1", "3:2", "2:3", "3:4", "4:3", "4:5", "5:4"]
RATIOS += ["9:16", "16:9", "21:9"]
LONGEST_PROMPT = {"nano-banana-2": 20_000, "nano-banana": 5_000}
MOST_IMAGES = {"nano-banana-2": 14, "nano-banana": 5}
RESOLUTIONS = {"nano-banana-2": ["1K", "2K", "4K", "1k", "2k", "4k"], "nano-banana": []}
BOTH = pytest.mark.parametrize("model", sorted(MODELS))

models = st.sampled_from(sorted(MODELS))
encodable = st.characters(exclude_categories=["Cs"])
hosts = st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,5}){1,2}", fullmatch=True)
web_urls = st.builds("{}://{}/{}".format, st.sampled_from(["http", "https"]), hosts, hosts)
secure_urls = st.builds("https://{}/{}".format, hosts, hosts)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(encodable, max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(encodable), inner, max_size=2)
    ),
    max_leaves=4,
)


def maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


@st.composite
def prompts(draw: st.DrawFn, longest: int) -> str:
    text = draw(st.text(encodable, min_size=1, max_size=50))
    length = draw(st.sampled_from([len(text), longest - 1, longest]))
    return (text * (length // len(text) + 1))[:length]


@st.composite
def valid_requests(draw: st.DrawFn) -> ImageRequest:
    model = draw(models)
    urls = draw(st.lists(web_urls, max_size=MOST_IMAGES[model]))
    mode = "image-to-image" if urls else "text-to-image"
    return ImageRequest(
        draw(prompts(LONGEST_PROMPT[model])),
        image_urls=draw(st.sampled_from([tuple(urls), urls])),
        mode=draw(maybe(mode)),
        aspect_ratio=draw(maybe(*RATIOS)),
        resolution=draw(maybe(*RESOLUTIONS[model])),
        output_format=draw(maybe("png", "jpeg", "jpg", "JPG", "Png")),
        google_search=draw(st.booleans()),
        provider=draw(maybe("auto", "value", "official")),
        model=model,
        callback_url=draw(st.none() | secure_urls),
        key=draw(st.none() | st.text(max_size=3)),
        extra=draw(st.dictionaries(st.sampled_from(["seed", "style"]), json_values, max_size=2)),
    )


def emulator_says(model: str, body: bytes) -> int:
    """Return the status with which a server that knows only its own rules answers the body."""
    core = EmulatorCore(Settings(extra_fields=("seed", "style")), epoch=0.0)
    headers = {"authorization": "Bearer sk-emulator", "content-type": "application/json"}
    request = Request("POST", f"/api/v1/generateTask/{model}", {}, headers, body)
    _, answer = core.handle(0.0, request)
    assert isinstance(answer, Answer)
    return answer.status


def faults_of(request: Any, default_model: str = DEFAULT_MODEL) -> tuple[FieldFault, ...]:
    with pytest.raises(InvalidRequestError) as raised:
        checked(request, default_model)
    assert raised.value.faults
    for fault in raised.value.faults:
        assert str(fault) in str(raised.value)
    return raised.value.faults


def fault_of(request: Any, default_model: str = DEFAULT_MODEL) -> FieldFault:
    (fault,) = faults_of(request, default_model)
    return fault


@steady
@given(valid_requests())
def test_a_valid_request_passes_here_and_at_the_server(request: ImageRequest) -> None:
    spec = checked(request, DEFAULT_MODEL)
    assert spec.name == request.model
    assert emulator_says(spec.name, submit_body(request, spec)) == 200


@given(valid_requests())
@settings(steady, max_examples=30)
def test_a_request_without_a_model_keeps_the_clients_rules(request: ImageRequest) -> None:
    assert request.model is not None
    assert checked(attrs.evolve(request, model=None), request.model) is MODELS[request.model]


BREAKS: dict[str, st.SearchStrategy[Any]] = {
    "aspect_ratio": st.sampled_from(["2:1", "16:10", "", "AUTO", "16x9", 1.5]),
    "resolution": st.sampled_from(["8K", "", "2048", "2 K", 2]),
    "output_format": st.sampled_from(["gif", "webp", "", 1]),
    "provider": st.sampled_from(["cheap", "", "Auto", 3]),
    "mode": st.sampled_from(["edit", "", "text_to_image", 0]),
    "google_search": st.sampled_from(["yes", None, 1, 0]),
    "callback_url": st.sampled_from(
        ["http://example.com/hook", "example.com", "https://", "ftp://example.com", "", 5]
    ),
    "prompt": st.sampled_from(["", None, 3, b"a cat", ["a cat"], "\ud800"]),
}
ALLOWED = {
    "aspect_ratio": RATIOS,
    "output_format": ["png", "jpeg"],
    "provider": ["auto", "value", "official"],
    "mode": ["text-to-image", "image-to-image"],
    "google_search": ["True", "False"],
    "callback_url": ["https://"],
}


@st.composite
def broken_fields(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.sets(st.sampled_from(sorted(BREAKS)), min_size=1))
    return {name: draw(BREAKS[name]) for name in sorted(names)}


fields_broken_in_the_body = st.fixed_dictionaries(
    {},
    optional={
        "aspect_ratio": st.sampled_from(["2:1", "16:10", "AUTO", 1.5]),
        "output_format": st.sampled_from(["gif", "webp", 1]),
        "provider": st.sampled_from(["cheap", "Auto", 3]),
        "mode": st.sampled_from(["edit", "text_to_image", 7]),
        "callback_url": st.sampled_from(["http://example.com/hook", "https://", 5]),
        "prompt": st.sampled_from(["", None, 3, "a" * 20_001]),
    },
).filter(bool)


def without_images(request: ImageRequest) -> ImageRequest:
    """Leave the mode to be broken alone, not together with the images."""
    return attrs.evolve(request, image_urls=(), mode=None)


@steady
@given(valid_requests().map(without_images), broken_fields())
def test_all_faults_are_named_at_once(request: ImageRequest, broken: dict[str, Any]) -> None:
    faults = {fault.field: fault for fault in faults_of(attrs.evolve(request, **broken))}
    assert set(faults) == set(broken)
    for name, value in broken.items():
        assert faults[name].value == repr(value)
        assert all(choice in faults[name].allowed for choice in ALLOWED.get(name, ()))


@steady
@given(valid_requests().map(without_images), fields_broken_in_the_body)
def test_what_is_refused_here_the_server_refuses_too(
    request: ImageRequest, broken: dict[str, Any]
) -> None:
    request = attrs.evolve(request, **broken)
    model = request.model or DEFAULT_MODEL
    assert {fault.field for fault in faults_of(request)} == set(broken)
    assert emulator_says(model, submit_body(request, MODELS[model])) == 400


@BOTH
def test_a_prompt_has_1_to_its_models_most_characters(model: str) -> None:
    longest = LONGEST_PROMPT[model]
    assert checked(ImageRequest("ä" * longest), model).name == model
    fault = fault_of(ImageRequest("ä" * (longest + 1)), model)
    assert fault.field == "prompt"
    assert f"1 to {longest:,} characters" in fault.allowed
    assert f"{longest + 1:,}" in fault.allowed
    assert fault.value.startswith("'ääää")
    assert len(fault.value) < 100
    assert f"1 to {longest:,} characters" in fault_of(ImageRequest(""), model).allowed


@BOTH
def test_an_image_request_has_1_to_its_models_most_images(model: str) -> None:
    most = MOST_IMAGES[model]
    urls = tuple(f"https://example.com/{number}.png" for number in range(most + 1))
    assert checked(ImageRequest("a", image_urls=urls[:most]), model).name == model
    fault = fault_of(ImageRequest("a", image_urls=urls), model)
    assert fault.field == "image_urls"
    assert f"at most {most} URLs" in fault.allowed
    assert str(most + 1) in fault.allowed
    fault = fault_of(ImageRequest("a", mode="image-to-image"), model)
    assert (fault.field, fault.value) == ("image_urls", "[]")
    assert f"1 to {most} URLs" in fault.allowed


@BOTH
def test_text_to_image_takes_no_images(model: str) -> None:
    request = ImageRequest("a", mode="text-to-image", image_urls=("https://example.com/1.png",))
    fault = fault_of(request, model)
    assert fault.field == "image_urls"
    assert "https://example.com/1.png" in fault.value
    assert "text-to-image" in fault.allowed


def test_nano_banana_has_no_resolution() -> None:
    fault = fault_of(ImageRequest("a", resolution="1k"), "nano-banana")
    assert (fault.field, fault.value) == ("resolution", "'1K'")
    assert "none" in fault.allowed


def test_a_resolution_is_one_of_three() -> None:
    fault = fault_of(ImageRequest("a", resolution="3k"), "nano-banana-2")
    assert (fault.field, fault.value) == ("resolution", "'3K'")
    assert all(size in fault.allowed for size in ("1K", "2K", "4K"))


@pytest.mark.parametrize(
    "url",
    [
        "cat.png",
        "ftp://example.com/1",
        "https://",
        "",
        7,
        "http://[::1",
        "data:image/png;base64,AA",
    ],
)
def test_each_wrong_image_url_is_named_by_its_place(url: Any) -> None:
    good = "https://example.com/1.png"
    faults = faults_of(ImageRequest("a", image_urls=(good, url, good, url)))
    assert [fault.field for fault in faults] == ["image_urls[1]", "image_urls[3]"]
    assert {fault.value for fault in faults} == {repr(url)}
    assert all("http" in fault.allowed for fault in faults)


@pytest.mark.parametrize("urls", ["https://example.com/1.png", None, 5, {"a": 1}])
def test_image_urls_have_to_be_a_list(urls: Any) -> None:
    fault = fault_of(ImageRequest("a", image_urls=urls))
    assert (fault.field, fault.value) == ("image_urls", repr(urls))
    assert "list" in fault.allowed


@pytest.mark.parametrize("model", ["nano-banana-3", "", 2, ["nano-banana"]])
def test_an_unknown_model_is_named_beside_the_known_ones(model: Any) -> None:
    for fault in (fault_of(ImageRequest("a", model=model)), fault_of(ImageRequest("a"), model)):
        assert (fault.field, fault.value) == ("model", repr(model))
        assert all(name in fault.allowed for name in MODELS)


@pytest.mark.parametrize(
    "extra",
    [None, 5, [1], {"a": b"bytes"}, {"a": float("nan")}, {"a": {1, 2}}, {(1, 2): 3}],
    ids=repr,
)
def test_extra_has_to_be_what_json_can_hold(extra: Any) -> None:
    fault = fault_of(ImageRequest("a", extra=extra))
    assert fault.field == "extra"
    assert "JSON" in fault.allowed


def test_extra_may_not_contain_itself() -> None:
    extra: dict[str, Any] = {}
    extra["extra"] = extra
    assert fault_of(ImageRequest("a", extra=extra)).field == "extra"


@pytest.mark.parametrize("extra", [{"style": "\ud800"}, {"\udfff": 1}], ids=ascii)
def test_extra_with_a_lone_surrogate_is_refused_like_a_prompt_with_one(
    extra: dict[str, Any],
) -> None:
    assert fault_of(ImageRequest("a", extra=extra)).field == "extra"


def test_a_key_is_text() -> None:
    assert fault_of(ImageRequest("a", key=7)).field == "key"  # type: ignore[arg-type]


def test_a_fault_shows_a_long_value_cut() -> None:
    fault = fault_of(ImageRequest("a", aspect_ratio="9" * 1_000))
    assert fault.value.startswith("'9999")
    assert len(fault.value) < 100


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.frozensets(st.integers()),
    max_leaves=4,
)
FIELDS = [field.name for field in attrs.fields(ImageRequest)]


@steady
@given(st.dictionaries(st.sampled_from(FIELDS), anything, min_size=1))
def test_whatever_is_handed_in_either_can_be_encoded_or_is_refused(fields: dict[str, Any]) -> None:
    request = ImageRequest(**{"prompt": "a", **fields})
    with suppress(InvalidRequestError):
        spec = checked(request, DEFAULT_MODEL)
        assert isinstance(json.loads(submit_body(request, spec)), dict)


def test_a_client_checks_requests_and_sends_nothing() -> None:
    client = NanoBananaClient("sk-x", model="nano-banana")
    client.check("a cat", aspect_ratio="3:2")
    client.check(ImageRequest("a cat", model="nano-banana-2", resolution="2K"))
    with pytest.raises(InvalidRequestError) as caught:
        client.check(ImageRequest(""), resolution="2K")
    assert [fault.field for fault in caught.value.faults] == ["prompt", "resolution"]
