"""The life of a task, the places and the balance, as a client sees them."""

from typing import Any

import pytest

from nanobanana_async.emulator import EmulatorCore, FailFast, LogNormal, Settings, Stuck

from .driver import EPOCH, EXACTLY_10_S, Account, body, envelope, life_of, result_urls

CREATED = int(EPOCH * 1000) + 5_000


def test_a_task_is_pending_then_processing_then_a_success() -> None:
    account = Account(service=EXACTLY_10_S)
    task_id = account.accepted(5)
    begun = {"taskId": task_id, "createTime": CREATED}
    assert account.status(5, task_id) == begun | {"state": "pending"}
    assert account.status(5.99, task_id)["state"] == "pending"
    assert account.status(6, task_id) == begun | {"state": "processing"}
    assert account.status(14.99, task_id)["state"] == "processing"
    url = f"http://emulator.invalid/pictures/{task_id}/1.png"
    assert account.status(15, task_id) == begun | {
        "state": "success",
        "completeTime": CREATED + 10_000,
        "costTime": 10_000,
        "resultJson": f'{{"resultUrls":["{url}"]}}',
    }
    assert account.status(1e6, task_id) == account.status(1e6 + 1, task_id)


@pytest.mark.parametrize(("seconds", "pending"), [(100.0, 1.0), (2.0, 0.2)])
def test_pending_lasts_a_tenth_and_at_most_a_second(seconds: float, pending: float) -> None:
    account = Account(service=Stuck(seconds))
    task_id = account.accepted(0)
    assert account.status(pending - 0.01, task_id)["state"] == "pending"
    assert account.status(pending + 0.01, task_id)["state"] == "processing"


def test_a_failed_task_has_a_code_and_a_message_and_no_result() -> None:
    account = Account(service=FailFast(2.0, "MODEL_UNAVAILABLE", "The model is away"))
    task_id = account.accepted(5)
    assert account.status(7, task_id) == {
        "taskId": task_id,
        "state": "failed",
        "createTime": CREATED,
        "completeTime": CREATED + 2_000,
        "costTime": 2_000,
        "failCode": "MODEL_UNAVAILABLE",
        "failMsg": "The model is away",
    }


def with_images(*urls: str) -> dict[str, Any]:
    return body(mode="image-to-image", image_urls=list(urls))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (body("a FORBIDDEN thing"), "CONTENT_VIOLATION"),
        (body("Forbidden."), "CONTENT_VIOLATION"),
        (with_images("https://a.invalid/x"), "INVALID_IMAGE_URL"),
        (with_images("https://a.com/x", "http://a.invalid:8/x"), "INVALID_IMAGE_URL"),
    ],
)
def test_what_the_provider_objects_to_fails_after_a_while(
    document: dict[str, Any], code: str
) -> None:
    account = Account(service=Stuck(600))
    task_id = account.accepted(0, document)
    assert account.status(1.9, task_id)["state"] == "processing"
    assert account.status(2.0, task_id)["failCode"] == code


@pytest.mark.parametrize(
    "document",
    [
        body("unforbidden, forbiddenly"),
        with_images("https://invalid.com/.invalid", "https://valid.notinvalid/"),
    ],
)
def test_other_words_and_hosts_pass(document: dict[str, Any]) -> None:
    account = Account(service=EXACTLY_10_S)
    assert account.status(10, account.accepted(0, document))["state"] == "success"


def test_an_objection_never_takes_longer_than_the_work() -> None:
    account = Account(service=Stuck(1))
    task_id = account.accepted(0, body("forbidden"))
    assert account.status(1, task_id)["failCode"] == "CONTENT_VIOLATION"


def test_an_objection_does_not_shift_later_service_times() -> None:
    plain, objected = Account(), Account()
    plain.accepted(0)
    objected.accepted(0, body("forbidden"))
    ends = [life_of(account, account.accepted(0)).end for account in (plain, objected)]
    assert ends[0] == ends[1]


def test_the_same_seed_gives_the_same_tasks() -> None:
    first, same, other = Account(seed=1), Account(seed=1), Account(seed=2)
    answers = [[account.submit(0) for _ in range(5)] for account in (first, same, other)]
    assert answers[0] == answers[1] != answers[2]


def test_a_restarted_server_hands_out_other_ids() -> None:
    account, restarted = Account(), Account()
    restarted.core = EmulatorCore(Settings(), epoch=EPOCH + 60)
    assert account.accepted(0) != restarted.accepted(0)


def test_speed_divides_service_times_and_leaves_the_stamps_real() -> None:
    account = Account(service=EXACTLY_10_S, speed=4)
    task_id = account.accepted(5)
    assert account.status(7.49, task_id)["state"] == "processing"
    assert account.status(7.5, task_id)["costTime"] == 2_500


def test_the_default_service_time_of_the_older_model_is_that_of_1k() -> None:
    newer, older = Account(), Account()
    first = newer.accepted(0, body(resolution="1k"))
    second = older.accepted(0, body(resolution=None), model="nano-banana")
    assert life_of(newer, first) == life_of(older, second)


def test_a_task_can_have_several_pictures() -> None:
    account = Account(service=EXACTLY_10_S, pictures=3)
    task_id = account.accepted(0, body(output_format="jpg"))
    urls = result_urls(account.status(10, task_id))
    assert urls == [f"http://emulator.invalid/pictures/{task_id}/{n}.jpeg" for n in (1, 2, 3)]


def test_a_place_is_held_from_acceptance_to_the_real_end() -> None:
    account = Account(service=EXACTLY_10_S, concurrent_tasks=2)
    account.accepted(0)
    account.accepted(5)
    refused = account.submit(9.99)
    assert envelope(refused, 429)["message"] == "Rate limit exceeded"
    account.accepted(10)
    envelope(account.submit(10), 429)
    account.accepted(15)
    ledger = account.core.ledger(15)
    assert (ledger.running, ledger.most_tasks, ledger.accepted) == (2, 2, 4)
    assert ledger.refused == {"rate": 0, "concurrency": 2, "fault": 0}
    assert account.core.ledger(25).running == 0


def test_both_limits_answer_alike() -> None:
    crowded = Account(service=LogNormal(1e6, 0.0), concurrent_tasks=1)
    hasty = Account(requests_per_minute=1)
    crowded.accepted(0)
    hasty.accepted(0)
    assert crowded.submit(0) == hasty.submit(0)


def test_an_account_is_charged_until_its_balance_does_not_suffice() -> None:
    account = Account(balance=0.13, price=0.04)
    for _ in range(3):
        account.accepted(0)
    assert envelope(account.submit(0), 402)["message"] == "Insufficient balance"
    assert envelope(account.balance(0), 200)["data"] == {"balance": 0.01}
    assert account.core.ledger(0).accepted == 3


def test_the_last_cent_can_be_spent() -> None:
    account = Account(balance=0.12, price=0.04)
    for _ in range(3):
        account.accepted(0)
    assert envelope(account.balance(0), 200)["data"] == {"balance": 0.0}


def test_an_unlimited_balance_is_null() -> None:
    assert envelope(Account().balance(0), 200)["data"] == {"balance": None}
