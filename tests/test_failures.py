"""Which fail code belongs to which group, and what that tells the caller to do."""

import pytest

from nanobanana_async._failures import ACCOUNT, failure, group_of
from nanobanana_async._models import TaskStatus

CODES = {
    "content": [
        "CONTENT_VIOLATION",
        "NSFW_DETECTED",
        "SensitiveContent",
        "SensitiveContentDetected",
        "InputImageSensitiveContentDetected",
        "InputOutputSensitiveContentDetected",
        "NSFW",
        "ProhibitedContentDetected",
    ],
    "prompt": ["PROMPT_TOO_LONG", "INVALID_PROMPT", "PromptLengthExceeded"],
    "image": [
        "INVALID_IMAGE_URL",
        "IMAGE_TOO_LARGE",
        "UNSUPPORTED_FORMAT",
        "IMAGE_DOWNLOAD_FAILED",
    ],
    "processing": ["PROCESSING_TIMEOUT", "MODEL_UNAVAILABLE", "GENERATION_FAILED"],
    "account": ["INSUFFICIENT_CREDITS"],
}
EVERY_CODE = pytest.mark.parametrize(
    ("group", "code"), [(group, code) for group, codes in CODES.items() for code in codes]
)


def failed(code: str | None = None, message: str | None = None) -> TaskStatus:
    return TaskStatus(task_id="task_1", state="failed", fail_code=code, fail_message=message)


@EVERY_CODE
def test_each_documented_code_has_its_group(group: str, code: str) -> None:
    assert group_of(code) == group
    assert failure(failed(code)).group == group


@pytest.mark.parametrize("code", [None, "", "TOMORROW", "content_violation", "nsfw"])
def test_any_other_code_is_of_an_unknown_group(code: str | None) -> None:
    assert group_of(code) == "unknown"


def test_the_account_group_has_a_name_to_be_compared_with() -> None:
    assert group_of("INSUFFICIENT_CREDITS") == ACCOUNT


@EVERY_CODE
def test_only_trouble_in_processing_may_pass_when_submitted_anew(group: str, code: str) -> None:
    assert failure(failed(code)).retryable is (group == "processing")


@EVERY_CODE
def test_the_error_tells_everything_and_what_to_do(group: str, code: str) -> None:
    error = failure(failed(code, "as it says"))
    assert (error.task_id, error.fail_code, error.fail_message) == ("task_1", code, "as it says")
    assert f"{code}: as it says" in str(error)
    assert "task_1" in str(error)
    assert error.advice, group


def test_an_unknown_code_is_kept_as_text_and_not_sent_again() -> None:
    error = failure(failed("TOMORROW", "try then"))
    assert (error.fail_code, error.group, error.retryable) == ("TOMORROW", "unknown", False)
    assert "TOMORROW: try then" in str(error)


@pytest.mark.parametrize(
    ("code", "message", "shown"),
    [
        ("NSFW", None, "with NSFW"),
        (None, "no luck", "with no luck"),
        (None, None, "with no reason given"),
        ("", "", "with no reason given"),
    ],
)
def test_what_the_api_left_out_is_left_out(
    code: str | None, message: str | None, shown: str
) -> None:
    text = str(failure(failed(code, message)))
    assert shown in text
    assert "None" not in text
