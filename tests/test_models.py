"""What callers hand in and get back: normalised, frozen, and shown without private text."""

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from nanobanana_async._models import ImageRequest, ImageResult, Statistics, TaskStatus

steady = settings(deadline=None, derandomize=True, max_examples=100)

FIELDS = [field.name for field in attrs.fields(ImageRequest)]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=5,
)


def result(**changes: Any) -> ImageResult:
    known: dict[str, Any] = {
        "task_id": "task_1",
        "urls": ("https://cdn/1.png",),
        "created_at": NOON,
        "completed_at": NOON,
        "processing_time": 1.0,
        "request": None,
    }
    return ImageResult(**known | changes)


@steady
@given(st.dictionaries(st.sampled_from([name for name in FIELDS if name != "prompt"]), anything))
def test_building_a_request_never_raises(fields: dict[str, Any]) -> None:
    request = ImageRequest(fields.pop("key", None), **fields)
    assert repr(request).startswith("ImageRequest(")


@pytest.mark.parametrize("given_urls", [["https://a/1"], ("https://a/1",)])
def test_reference_images_become_a_tuple(given_urls: Any) -> None:
    assert ImageRequest("a", image_urls=given_urls).image_urls == ("https://a/1",)


@pytest.mark.parametrize("wrong", ["https://a/1", None, 3, {"https://a/1"}])
def test_what_is_no_list_of_urls_stays_as_it_is(wrong: Any) -> None:
    assert ImageRequest("a", image_urls=wrong).image_urls == wrong


@pytest.mark.parametrize(("written", "meant"), [("2k", "2K"), ("4K", "4K"), (None, None), (2, 2)])
def test_a_resolution_is_taken_in_any_case(written: Any, meant: Any) -> None:
    assert ImageRequest("a", resolution=written).resolution == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [("jpg", "jpeg"), ("JPG", "jpeg"), ("PNG", "png"), ("gif", "gif"), (None, None), (7, 7)],
)
def test_jpg_is_another_name_of_jpeg(written: Any, meant: Any) -> None:
    assert ImageRequest("a", output_format=written).output_format == meant


def test_requests_are_equal_by_what_they_ask_for() -> None:
    one = ImageRequest("a", image_urls=["https://a/1"], resolution="2k", output_format="jpg")
    other = ImageRequest("a", image_urls=("https://a/1",), resolution="2K", output_format="jpeg")
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1


@pytest.mark.parametrize(
    "changes", [{"key": "k"}, {"google_search": True}, {"extra": {"seed": 1}}, {"model": "m"}]
)
def test_requests_differ_by_every_field(changes: dict[str, Any]) -> None:
    assert ImageRequest("a", **changes) != ImageRequest("a")


def test_extra_fields_do_not_make_a_request_unhashable() -> None:
    assert isinstance(hash(ImageRequest("a", extra={"styles": ["ink"]})), int)


def test_a_request_is_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ImageRequest("a").prompt = "b"  # type: ignore[misc]


def test_only_the_prompt_is_positional() -> None:
    with pytest.raises(TypeError):
        ImageRequest("a", ("https://a/1",))  # type: ignore[call-arg]


@steady
@given(st.text(min_size=200, max_size=400))
def test_a_repr_shows_only_the_beginning_of_a_prompt(prompt: str) -> None:
    shown = repr(ImageRequest(prompt))
    assert repr(prompt)[:50] in shown
    assert repr(prompt)[:80] not in shown


def test_a_repr_shows_a_short_prompt_whole() -> None:
    assert "prompt='a cat'," in repr(ImageRequest("a cat"))


@pytest.mark.parametrize(
    ("state", "finished"),
    [
        ("pending", False),
        ("processing", False),
        ("paused", False),
        ("success", True),
        ("failed", True),
    ],
)
def test_only_success_and_failure_are_ends(state: str, finished: bool) -> None:
    assert TaskStatus(task_id="t", state=state).finished is finished


@pytest.mark.parametrize(
    ("created_at", "completed_at", "seconds"),
    [
        (NOON, NOON + timedelta(milliseconds=12_345), 12.345),
        (NOON, NOON, 0.0),
        (NOON, NOON - timedelta(milliseconds=1), None),
        (None, NOON, None),
        (NOON, None, None),
    ],
)
def test_missing_or_reversed_times_tell_no_service_time(
    created_at: datetime | None, completed_at: datetime | None, seconds: float | None
) -> None:
    status = TaskStatus(
        task_id="t", state="success", created_at=created_at, completed_at=completed_at
    )
    assert status.service_time == seconds


def test_the_raw_answer_is_neither_shown_nor_compared() -> None:
    status = TaskStatus(task_id="t", state="success", raw={"secret": 1})
    assert "secret" not in repr(status)
    assert status == TaskStatus(task_id="t", state="success")


def test_urls_are_promised_for_15_days_from_the_end() -> None:
    assert result().expires_at == NOON + timedelta(days=15)


def test_no_expiry_is_promised_where_the_end_is_not_known() -> None:
    assert result(completed_at=None).expires_at is None


def test_every_figure_of_the_statistics_has_to_be_given() -> None:
    assert all(field.default is attrs.NOTHING for field in attrs.fields(Statistics))
