"""The demo's slots, the ends of their tasks and the history of requests: no loop, time given."""

from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Any

from attrs import define, evolve, field

from nanobanana_async.cli.demo._ends import Ends
from nanobanana_async.cli.demo._history import History, growth
from nanobanana_async.cli.demo._slots import SlotMap, Stage
from nanobanana_async.emulator import EmulatorCore, Ledger, Settings

EMPTY = EmulatorCore(Settings(), epoch=0.0).ledger(0.0)


class State(Enum):
    """Of the client's states, those that matter."""

    QUEUED = "queued"
    SENDING = "sending"
    RUNNING = "running"


@define
class Generation:
    """What the client knows of one."""

    task_id: str | None = None
    checks: int = 0
    lag: float | None = None


@define
class Account:
    """A map of slots, and what is asked of it."""

    now: float = 0.0
    ready_at: Callable[[str], float] = lambda _: inf
    slots: SlotMap = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.slots = SlotMap(3, lambda: self.now)

    def sent(self) -> tuple[Generation, Any]:
        generation = Generation()
        watched = self.slots.began(generation, None)
        watched.moved(State.SENDING)
        return generation, watched

    @property
    def stages(self) -> list[Stage]:
        return [Stage(stage) for stage in self.slots.stages(self.now, self.ready_at)]


def test_a_task_goes_through_its_stages() -> None:
    account = Account(ready_at={"task": 5.0}.__getitem__)
    generation, watched = account.sent()
    seen = [account.stages[0]]
    generation.task_id = "task"
    watched.moved(State.RUNNING)
    seen.append(account.stages[0])
    generation.checks = 1
    seen.append(account.stages[0])
    account.now = 5.0
    seen.append(account.stages[0])
    generation.lag = 1.5
    account.now = 6.5
    watched.ended(None)
    seen.append(account.stages[0])
    account.now = 8.5
    seen.append(account.stages[0])
    assert seen == [
        Stage.SUBMITTED,
        Stage.SUBMITTED,
        Stage.LOOKED_AT,
        Stage.READY,
        Stage.FOUND,
        Stage.FREE,
    ]
    assert account.slots.longest_lag == 1.5


def test_the_slot_that_was_free_for_longest_is_taken() -> None:
    account = Account()
    first, _ = account.sent(), account.sent()
    first[1].ended(None)
    account.sent()
    assert account.stages == [Stage.FREE, Stage.SUBMITTED, Stage.SUBMITTED]
    account.sent()
    assert account.stages == [Stage.SUBMITTED] * 3


def test_one_that_is_not_accepted_holds_no_slot() -> None:
    account = Account()
    returned, refused = account.sent()[1], account.sent()[1]
    returned.moved(State.QUEUED)
    refused.ended(ValueError())
    assert account.stages == [Stage.FREE] * 3
    returned.ended(None)  # withdrawn in line: there is nothing to give back
    assert [account.slots.take(Generation()) for _ in range(4)] == [2, 0, 1, None]


def test_of_the_ledger_what_is_new_is_read_and_not_too_often() -> None:
    times = [10.0 * number for number in range(20_000)]
    asked = []

    def ledger() -> Ledger:
        asked.append(now)
        known = 10_000 * len(asked)
        return evolve(
            EMPTY,
            accepted=known,
            task_ids=[f"task_{number}" for number in range(known)],
            accepted_at=times[:known],
            service_times=[2.0] * known,
        )

    ends = Ends(ledger, began=1_000.0)
    for now in (0.0, 0.1, 0.19, 0.21):
        ends.look(now)
        assert ends.ready_at("task_9999") == 1_000.0 + 99_990 + 2
    assert asked == [0.0, 0.21]
    assert ends.ready_at("task_19999") == 1_000.0 + 199_990 + 2
    assert ends.ready_at("another") == inf


def test_columns_stay_as_they_are_while_time_goes_by() -> None:
    history = History()
    shown = []
    for tenth in range(1_000):
        readings = history.add(tenth / 10, 3 * tenth)
        shown.append(growth(readings, 20))
    assert len(readings) <= 501
    assert shown[0] == [None] * 20
    assert shown[45] == [None] * 18 + [30.0, 30.0]
    assert {round(rate or 0, 6) for rate in shown[-1]} == {30.0}


def test_a_column_is_what_was_counted_in_it() -> None:
    readings = [(0.0, 0), (3.0, 30), (3.5, 30), (9.0, 30)]
    assert growth(readings, 20)[-4:] == [10.0, 5.0, 0.0, 0.0]
