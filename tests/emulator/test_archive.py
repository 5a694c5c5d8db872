"""What the API forgets, and that a long run needs no more memory than a short one."""

import gc
import json
import tracemalloc
from collections import deque
from collections.abc import Iterable

import pytest

from nanobanana_async.emulator import Answer, LogNormal, Mixture
from nanobanana_async.emulator._wire import Outcome

from .driver import EXACTLY_10_S, Account, body, envelope, result_urls

MEBIBYTE = 1024 * 1024
ORDER = json.dumps(body("picture NUMBER")).encode()


def is_unknown(outcome: Outcome) -> bool:
    return isinstance(outcome, Answer) and outcome.status == 404


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_a_task_is_forgotten_some_time_after_its_end(speed: float) -> None:
    account = Account(service=EXACTLY_10_S, forget_after=30.0, speed=speed)
    task_id = account.accepted(0)
    (url,) = result_urls(account.status(39.9 / speed, task_id))
    assert envelope(account.check(40 / speed, task_id), 404)["message"] == "Task not found"
    gone = account.download(40 / speed, url)
    assert gone == account.download(40 / speed, url.replace("task_", "task_0"))


def test_tasks_are_forgotten_in_the_order_of_their_ends() -> None:
    service = Mixture([1, 1], [LogNormal(10.0, 0.0), LogNormal(50.0, 0.0)])
    account = Account(service=service, forget_after=30.0, seed=1)
    tasks = [account.accepted(0) for _ in range(20)]
    quick = {task_id for task_id in tasks if account.status(20, task_id)["state"] == "success"}
    assert 0 < len(quick) < 20
    unknown = {task_id for task_id in tasks if is_unknown(account.check(60, task_id))}
    assert unknown == quick


def test_without_a_time_nothing_is_forgotten() -> None:
    account = Account(service=EXACTLY_10_S)
    task_id = account.accepted(0)
    assert account.status(1e9, task_id)["state"] == "success"


def live(account: Account, waiting: deque[tuple[float, str]], numbers: Iterable[int]) -> None:
    """Thirty tasks a second, one in ten unheard of, one in ten looked at after its end."""
    for number in numbers:
        now = number / 30
        content = ORDER.replace(b"NUMBER", b"%d" % number)
        outcome = account.send(now, "POST", "/api/v1/generateTask/nano-banana-2", content=content)
        if isinstance(outcome, Answer) and number % 10 == 0:
            waiting.append((now + 10.5, json.loads(outcome.body)["data"]["taskId"]))
        while waiting and waiting[0][0] <= now:
            assert account.status(now, waiting.popleft()[1])["state"] == "success"


def test_a_run_of_many_tasks_needs_no_more_memory_than_a_short_one() -> None:
    account = Account(
        keep_ledger=False, forget_after=5.0, service=EXACTLY_10_S, faults={"submit_lost": 0.1}
    )
    waiting: deque[tuple[float, str]] = deque()
    tracemalloc.start()
    try:
        live(account, waiting, range(2_000))
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        live(account, waiting, range(2_000, 22_000))
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < MEBIBYTE
    ledger = account.core.ledger(22_000 / 30)
    assert ledger.accepted == 22_000
    assert ledger.accepted_unheard == ledger.faults["submit_lost"] > 2_000
