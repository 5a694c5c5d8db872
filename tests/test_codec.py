"""Bodies out, and what each answer means: the two tables of the rules, row by row."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from nanobanana_async._codec import (
    Accepted,
    Answer,
    Broken,
    Busy,
    Limited,
    Refused,
    Seen,
    balance_call,
    read_balance,
    read_look,
    read_submit,
    status_call,
    submit_body,
    submit_call,
)
from nanobanana_async._errors import (
    APIStatusError,
    AuthenticationError,
    InsufficientBalanceError,
    InvalidRequestError,
    NanoBananaError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
)
from nanobanana_async._models import ImageRequest
from nanobanana_async._specs import MODELS
from nanobanana_async._wire import Call, Reply

steady = settings(deadline=None, derandomize=True, max_examples=300)

BASE = "https://api.example"
SPEC = MODELS["nano-banana-2"]
ELDER = MODELS["nano-banana"]
TASK = {"taskId": "task_1"}
PAGE = b"<html><title>Bad Gateway</title></html>"

REFUSALS: dict[int, type[NanoBananaError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: InsufficientBalanceError,
    403: PermissionDeniedError,
    404: NotFoundError,
}


def reply(
    status: int, code: Any = None, data: Any = None, message: Any = "as it says", **headers: str
) -> Reply:
    envelope = {"code": status if code is None else code, "message": message, "data": data}
    return Reply(status, headers, json.dumps(envelope).encode())


def page(status: int, body: bytes = PAGE, **headers: str) -> Reply:
    return Reply(status, headers, body)


def submitted(answer: Reply) -> Any:
    return read_submit(answer, BASE)


def looked(answer: Reply) -> Any:
    return read_look(answer, BASE, "task_1")


def seen(**fields: Any) -> Any:
    data = {**TASK, "state": "success", **fields}
    answer = looked(reply(200, data=data))
    assert isinstance(answer, Seen)
    return answer.status


def body(request: ImageRequest, spec: Any = SPEC) -> Any:
    return json.loads(submit_body(request, spec))


# What goes out


def test_a_bare_prompt_goes_out_with_every_default() -> None:
    assert body(ImageRequest("a cat")) == {
        "request_type": "async",
        "provider": "auto",
        "input": {
            "mode": "text-to-image",
            "prompt": "a cat",
            "aspect_ratio": "auto",
            "resolution": "1K",
            "output_format": "png",
        },
    }


def test_everything_that_was_asked_for_goes_out() -> None:
    request = ImageRequest(
        "a cat",
        image_urls=("https://a/1", "https://a/2"),
        aspect_ratio="3:2",
        resolution="2k",
        output_format="jpg",
        google_search=True,
        provider="official",
        callback_url="https://me/hook",
        key="mine",
    )
    assert body(request) == {
        "request_type": "callback",
        "callback_url": "https://me/hook",
        "provider": "official",
        "input": {
            "mode": "image-to-image",
            "prompt": "a cat",
            "aspect_ratio": "3:2",
            "resolution": "2K",
            "image_urls": ["https://a/1", "https://a/2"],
            "output_format": "jpeg",
            "google_search": True,
        },
    }


def test_the_elder_model_gets_no_resolution() -> None:
    assert "resolution" not in body(ImageRequest("a cat"), ELDER)["input"]


def test_extra_fields_go_into_the_input_and_win() -> None:
    fields = body(ImageRequest("a cat", extra={"seed": 7, "aspect_ratio": "2:1"}))["input"]
    assert fields["seed"] == 7
    assert fields["aspect_ratio"] == "2:1"


@steady
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_prompt_arrives_word_for_word(prompt: str) -> None:
    assert body(ImageRequest(prompt))["input"]["prompt"] == prompt


def test_each_call_goes_to_its_endpoint() -> None:
    assert submit_call("nano-banana", b"{}") == Call("POST", "generateTask/nano-banana", body=b"{}")
    assert status_call("nano-banana-2", "task_1") == Call(
        "GET", "statusTask/nano-banana-2", query={"taskId": "task_1"}
    )
    assert balance_call() == Call("GET", "apikeys/current-balance")


# The answer to a submit


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_a_task_id_in_a_good_envelope_is_an_acceptance(status: int) -> None:
    assert submitted(reply(status, 200, TASK)) == Accepted("task_1")


def test_an_acceptance_may_hold_more_than_is_documented() -> None:
    answer = Reply(200, {}, b'{"code": 200, "data": {"taskId": "task_1", "new": []}, "trace": "x"}')
    assert submitted(answer) == Accepted("task_1")


@pytest.mark.parametrize(
    "answer",
    [
        reply(429),
        reply(429, 500),
        page(429),
        page(429, b""),
        reply(200, 429),
        reply(202, 429, TASK),
    ],
)
def test_429_of_http_or_envelope_is_not_accepted_now(answer: Reply) -> None:
    assert submitted(answer) == Limited(None)
    assert looked(answer) == Limited(None)


def test_a_429_whose_envelope_names_a_task_contradicts_itself_and_proves_nothing() -> None:
    assert isinstance(submitted(reply(429, 200, TASK)), Broken)


@pytest.mark.parametrize("status", [503, 200, 202])
def test_503_in_the_apis_own_envelope_is_not_accepted_now(status: int) -> None:
    answer = submitted(reply(status, 503))
    assert isinstance(answer, Busy)
    assert (answer.error.status, answer.error.code) == (status, 503)
    assert isinstance(looked(reply(status, 503)), Busy)


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("status", [None, 200, 201])
def test_a_refusal_needs_envelope_and_status_to_agree(code: int, status: int | None) -> None:
    http = status or code
    for answer in (submitted(reply(http, code)), looked(reply(http, code))):
        assert isinstance(answer, Refused)
        assert type(answer.error) is REFUSALS[code]
        assert (answer.error.status, answer.error.code) == (http, code)
        assert answer.error.api_message == "as it says"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 418, 422])
def test_4xx_without_envelope_is_a_refusal_that_names_the_base_url(status: int) -> None:
    answer = submitted(page(status))
    assert isinstance(answer, Refused)
    assert type(answer.error) is APIStatusError
    assert answer.error.status == status
    assert answer.error.code is None
    assert BASE in str(answer.error)
    assert "base_url" in answer.error.advice


@pytest.mark.parametrize(
    "text", [b"", b'{"detail": "Not Found"}', b'{"code": "404"}', b'{"code": true}', b"[404]"]
)
def test_a_body_of_another_shape_is_no_envelope(text: bytes) -> None:
    answer = submitted(page(404, text))
    assert isinstance(answer, Refused)
    assert type(answer.error) is APIStatusError
    assert BASE in str(answer.error)


@pytest.mark.parametrize(
    "answer",
    [
        reply(500),
        reply(501),
        reply(200, 500),
        reply(200, 418),
        page(500),
        page(503),
        page(503, b""),
        reply(502),
        page(502),
        reply(504),
        page(504),
        *(page(status) for status in range(520, 528)),
        reply(408),
        page(408),
        reply(200, 408),
        *(page(status) for status in (300, 301, 302, 303, 304, 307, 308)),
        reply(302, 200, TASK),
        page(100),
    ],
)
def test_whatever_else_came_back_leaves_the_submit_unknown(answer: Reply) -> None:
    assert isinstance(submitted(answer), Broken)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 500, 502, 503, 504])
@pytest.mark.parametrize("code", [200, 400, 401, 402, 403, 404, 500, 503])
def test_an_http_error_whose_envelope_has_another_code_proves_nothing(
    status: int, code: int
) -> None:
    if status != code:
        assert isinstance(submitted(reply(status, code, TASK)), Broken)
        assert isinstance(looked(reply(status, code, TASK)), Broken)


@pytest.mark.parametrize("status", [405, 409, 410, 422])
def test_an_undocumented_code_in_the_envelope_proves_nothing(status: int) -> None:
    assert isinstance(submitted(reply(status)), Broken)


@pytest.mark.parametrize(
    "data", [None, {}, [], "task_1", {"taskId": None}, {"taskId": 7}, {"taskId": ""}, {"id": "t"}]
)
def test_a_good_envelope_without_a_task_id_leaves_the_submit_unknown(data: Any) -> None:
    assert isinstance(submitted(reply(200, data=data)), Broken)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b'"200"',
        b"200",
        b"{}",
        b'{"code": "200", "data": {"taskId": "task_1"}}',
        b'{"code": 200.0, "data": {"taskId": "task_1"}}',
        b'{"code": true, "data": {"taskId": "task_1"}}',
        b'{"code": null}',
        b'{"code": 200, "data": {"taskId": "task_1"}',
        b"\xff\xfe",
        b"[" * 100_000,
        PAGE,
    ],
    ids=lambda text: text[:12],
)
def test_an_unreadable_good_answer_leaves_the_submit_unknown(text: bytes) -> None:
    assert isinstance(submitted(page(200, text)), Broken)
    assert isinstance(looked(page(200, text)), Broken)


def test_an_error_may_name_the_field_in_its_data() -> None:
    answer = submitted(reply(400, data={"error": "aspect_ratio"}, message="Invalid parameters"))
    assert answer.error.api_message == "Invalid parameters: aspect_ratio"
    answer = submitted(reply(400, data={"error": "aspect_ratio"}, message=None))
    assert answer.error.api_message == "aspect_ratio"
    answer = submitted(reply(400, data={"error": "the same"}, message="the same"))
    assert answer.error.api_message == "the same"


@pytest.mark.parametrize("message", [None, 7, ["no"], {"text": "no"}])
def test_a_message_of_another_type_counts_as_missing(message: Any) -> None:
    answer = submitted(reply(401, message=message))
    assert isinstance(answer.error, AuthenticationError)
    assert answer.error.api_message is None


# The answer to a status check


def test_a_success_tells_urls_and_times() -> None:
    status = seen(
        resultJson=json.dumps({"resultUrls": ["https://cdn/1.png", "https://cdn/2.png"]}),
        createTime=1_700_000_000_000,
        completeTime=1_700_000_012_345,
        costTime=12_345,
    )
    assert (status.task_id, status.state, status.finished) == ("task_1", "success", True)
    assert status.urls == ("https://cdn/1.png", "https://cdn/2.png")
    assert status.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert status.service_time == 12.345
    assert status.processing_time == 12.345
    assert status.raw["state"] == "success"


def test_a_failure_tells_code_and_message() -> None:
    status = seen(state="failed", failCode="NSFW", failMsg="no")
    assert (status.fail_code, status.fail_message, status.finished) == ("NSFW", "no", True)


@pytest.mark.parametrize("state", ["pending", "processing", "paused", "", "SUCCESS"])
def test_any_other_state_is_a_good_look_at_an_unfinished_task(state: str) -> None:
    status = seen(state=state)
    assert status.state == state
    assert not status.finished


@pytest.mark.parametrize(
    "result",
    [
        None,
        7,
        {"resultUrls": ["https://cdn/1.png"]},
        "",
        "nothing",
        "null",
        "[]",
        '["https://cdn/1.png"]',
        "{}",
        '{"resultUrls": null}',
        '{"resultUrls": []}',
        '{"resultUrls": [""]}',
        '{"resultUrls": ["https://cdn/1.png", ""]}',
        '{"resultUrls": ["https://cdn/1.png", null]}',
        '{"resultUrls": [7]}',
        '{"resultUrls": "https://cdn/1.png"}',
        '{"resultUrls": {"https://cdn/1.png": 1}}',
        "[" * 100_000,
    ],
    ids=lambda result: str(result)[:40],
)
def test_a_success_without_readable_urls_has_none(result: Any) -> None:
    status = seen(resultJson=result)
    assert status.urls == ()
    assert status.finished


def test_an_unfinished_task_has_no_urls() -> None:
    assert seen(state="processing", resultJson='{"resultUrls": ["https://cdn/1"]}').urls == ()


@pytest.mark.parametrize("odd", ["12345", 12.5, True, None, [1], {"ms": 1}])
def test_a_time_of_another_type_counts_as_missing(odd: Any) -> None:
    status = seen(createTime=odd, completeTime=odd, costTime=odd)
    assert (status.created_at, status.completed_at, status.processing_time) == (None, None, None)


@pytest.mark.parametrize(
    "far", [10**15, -(10**15), 10**400, -(10**400)], ids=lambda far: f"{len(str(far))} characters"
)
def test_a_time_no_calendar_has_counts_as_missing(far: int) -> None:
    status = seen(createTime=far, completeTime=far)
    assert (status.created_at, status.completed_at) == (None, None)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_processing_time_no_float_holds_counts_as_missing(sign: int) -> None:
    assert seen(costTime=sign * 10**400).processing_time is None


@pytest.mark.parametrize("odd", [7, True, ["NSFW"], {"code": "NSFW"}])
def test_a_reason_of_another_type_counts_as_missing(odd: Any) -> None:
    status = seen(state="failed", failCode=odd, failMsg=odd)
    assert (status.fail_code, status.fail_message) == (None, None)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"taskId": "task_1"},
        {"state": "success"},
        {"taskId": "task_2", "state": "success"},
        {"taskId": "task_1", "state": None},
        {"taskId": "task_1", "state": 1},
        {"taskId": ["task_1"], "state": "success"},
    ],
    ids=str,
)
def test_an_answer_that_is_not_about_this_task_proves_nothing(data: Any) -> None:
    assert isinstance(looked(reply(200, data=data)), Broken)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 422, 500, 502, 503, 504])
def test_a_look_answered_without_envelope_is_never_an_answer_about_the_task(status: int) -> None:
    answer = looked(page(status))
    assert isinstance(answer, Refused | Broken)
    assert type(answer.error) in (APIStatusError, ServerError)


# The balance


@pytest.mark.parametrize("data", [None, 4.2, {"balance": 1}, ["a"]])
def test_a_balance_is_handed_on_as_parsed(data: Any) -> None:
    assert read_balance(reply(200, data=data), BASE) == Answer(data)


def test_a_balance_can_be_refused_like_anything_else() -> None:
    assert isinstance(read_balance(reply(401), BASE), Refused)
    assert isinstance(read_balance(page(502), BASE), Broken)


# Retry-After


def retry_after(value: str, date: str | None = None) -> Any:
    headers = {"retry-after": value} if date is None else {"retry-after": value, "date": date}
    answer = submitted(reply(429, **headers))
    assert isinstance(answer, Limited)
    return answer.retry_after


@pytest.mark.parametrize(
    ("value", "seconds"), [("0", 0), ("7", 7), (" 120 ", 120), ("86400", 86400)]
)
def test_retry_after_in_seconds(value: str, seconds: float) -> None:
    assert retry_after(value) == seconds


@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30),
        ("Wed, 21 Oct 2026 09:28:30 +0200", 30),
        ("Wednesday, 21-Oct-26 07:29:00 GMT", 60),
        ("Wed Oct 21 07:28:01 2026", 1),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0),
    ],
)
def test_retry_after_as_a_date_counts_from_the_answers_own(until: str, seconds: float) -> None:
    assert retry_after(until, "Wed, 21 Oct 2026 07:28:00 GMT") == seconds


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e3", None),
        ("²", None),
        ("Wed, 21 Oct 2026 07:28:30 GMT", None),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "today"),
        ("Wed, 99 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"),
    ],
)
def test_a_retry_after_that_tells_nothing_counts_as_missing(value: str, date: str | None) -> None:
    assert retry_after(value, date) is None


@pytest.mark.parametrize(
    "wild",
    [
        "Wed, 21 Oct 99999999999999999999 07:28:30 GMT",
        "Wed, 21 Oct 2026 99999999999999999999:28:30 GMT",
        "Wed, 21 Oct 2026 07:28:30 +99999999999999",
    ],
)
def test_a_date_no_calendar_has_counts_as_missing(wild: str) -> None:
    assert retry_after(wild, "Wed, 21 Oct 2026 07:28:00 GMT") is None
    assert retry_after("Wed, 21 Oct 2026 07:28:00 GMT", wild) is None


# Whatever a server sends

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([200, 401, 429, 503, "task_1", "success", 10**400]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(sorted(TASK)), inner, max_size=3)
    ),
    max_leaves=8,
)
INFORMING = ["resultJson", "failCode", "failMsg", "createTime", "completeTime", "costTime"]
odd_values = st.sampled_from([10**400, 2**63, -1, 0, "", "{}", True]) | json_values
task_data = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["taskId", "state", *INFORMING], odd_values)
)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        "code": st.sampled_from([200, 400, 401, 402, 403, 404, 429, 500, 503, 999]) | json_values,
        "message": json_values,
        "data": task_data | json_values,
    },
)
bodies = st.binary(max_size=60) | (envelopes | json_values).map(
    lambda value: json.dumps(value).encode()
)
statuses = st.sampled_from([200, 201, 302, 400, 401, 404, 408, 429, 500, 503]) | st.integers(
    100, 599
)
headers = st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text(max_size=12))
replies = st.builds(Reply, statuses, headers, bodies)


def envelope_of(answer: Reply) -> Any:
    try:
        parsed = json.loads(answer.body)
    except ValueError:
        return None
    has_code = isinstance(parsed, dict) and type(parsed.get("code")) is int
    return parsed if has_code else None


@steady
@given(replies)
def test_no_answer_is_wrongly_an_acceptance_or_a_refusal(answer: Reply) -> None:
    meaning = submitted(answer)
    envelope = envelope_of(answer)
    code = envelope["code"] if envelope else None
    good = 200 <= answer.status < 300
    if isinstance(meaning, Accepted):
        assert good
        assert code == 200
        assert meaning.task_id == envelope["data"]["taskId"] != ""
    elif isinstance(meaning, Refused):
        bare = code is None and 400 <= answer.status < 500 and answer.status not in (408, 429)
        assert bare or (code in REFUSALS and (good or code == answer.status))
    elif isinstance(meaning, Limited):
        assert 429 in (answer.status, code)
    elif isinstance(meaning, Busy):
        assert code == 503
        assert good or answer.status == 503
    else:
        assert isinstance(meaning, Broken)


@steady
@given(replies)
def test_no_answer_makes_a_look_raise(answer: Reply) -> None:
    meaning = looked(answer)
    assert isinstance(meaning, Seen | Refused | Limited | Busy | Broken)
    if isinstance(meaning, Seen):
        assert meaning.status.task_id == "task_1"
        assert all(isinstance(url, str) and url for url in meaning.status.urls)


@steady
@given(task_data)
def test_no_data_makes_a_good_look_raise(data: dict[str, Any]) -> None:
    status = seen(**{**data, **TASK, "state": "success"})
    assert status.service_time is None or status.service_time >= 0


@steady
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_makes_a_refusal_raise(value: str, date: str) -> None:
    wait = retry_after(value, date)
    assert wait is None or wait >= 0


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500, 503])
def test_no_error_shows_the_answers_body(status: int) -> None:
    for meaning in (submitted(page(status, b"Bearer sk-secret")), looked(reply(status, 999))):
        assert "sk-secret" not in str(getattr(meaning, "error", ""))
