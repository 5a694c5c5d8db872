"""What is due when; `test_courier.py` has the deliveries themselves."""

import json

from .driver import EXACTLY_10_S, HOOK, Account, body, callback_body, envelope, life_of


def test_a_polled_task_calls_nobody() -> None:
    account = Account()
    account.accepted(0)
    account.accepted(0, body() | {"request_type": "async", "callback_url": HOOK})
    assert account.core.next_delivery_at() is None
    assert account.core.take_deliveries(1e6) == []


def test_the_end_of_a_task_is_told_with_its_status() -> None:
    account = Account(service=EXACTLY_10_S)
    task_id = account.accepted(2, callback_body())
    assert account.core.next_delivery_at() == 12
    assert account.core.take_deliveries(11.99) == []
    (delivery,) = account.core.take_deliveries(12)
    assert (delivery.task_id, delivery.url, delivery.attempt) == (task_id, HOOK, 0)
    assert json.loads(delivery.body) == envelope(account.check(12, task_id), 200)
    account.core.delivered(13, delivery, ok=True)
    assert account.core.next_delivery_at() is None
    assert account.core.ledger(13).callbacks_delivered == 1


def test_a_failed_task_is_told_too() -> None:
    account = Account(service=EXACTLY_10_S)
    account.accepted(0, callback_body("forbidden"))
    (delivery,) = account.core.take_deliveries(2)
    assert json.loads(delivery.body)["data"]["failCode"] == "CONTENT_VIOLATION"


def test_up_to_three_more_deliveries_follow_with_growing_delays() -> None:
    account = Account(service=EXACTLY_10_S)
    account.accepted(0, callback_body())
    for attempt, due in enumerate([10, 41, 102, 223]):
        assert account.core.next_delivery_at() == due
        (delivery,) = account.core.take_deliveries(due)
        assert delivery.attempt == attempt
        assert account.core.next_delivery_at() is None
        account.core.delivered(due + 1, delivery, ok=False)
    assert account.core.next_delivery_at() is None
    ledger = account.core.ledger(224)
    assert (ledger.callbacks_delivered, ledger.callbacks_failed) == (0, 4)


def test_speed_divides_the_delays() -> None:
    account = Account(service=EXACTLY_10_S, speed=10)
    account.accepted(0, callback_body())
    (delivery,) = account.core.take_deliveries(1)
    account.core.delivered(1, delivery, ok=False)
    assert account.core.next_delivery_at() == 1 + 3


def test_deliveries_come_in_order_of_time() -> None:
    account = Account(seed=5)
    ids = [account.accepted(0, callback_body(f"{n}")) for n in range(20)]
    taken = [delivery.task_id for delivery in account.core.take_deliveries(1e6)]
    assert sorted(taken) == sorted(ids)
    assert taken == sorted(ids, key=lambda task_id: life_of(account, task_id).end)
