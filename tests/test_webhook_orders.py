"""Any order of answers, deliveries, looks, restarts and patience, for one call of several attempts.

What must hold in each: nothing is lost in silence, nothing is sent once a delivery has come, and
all that was held is given back. `NANOBANANA_SOAK=10000` in the environment tries that many orders,
new ones; about 80 a second.
"""

import asyncio
import gc
import logging
import os
from collections.abc import Iterator
from typing import Any, Final

import pytest
from attrs import define, field
from hypothesis import given, settings, strategies as st

from nanobanana_async import (
    ImageResult,
    Kind,
    SubmitUnknownError,
    TaskFailedError,
    _attempts,
    _resume,
)
from nanobanana_async._journal import Replay
from nanobanana_async.emulator import run_virtual
from tests.hooked import unix_time
from tests.orders import Attempt, Options, Run
from tests.records import Records

SOAK: Final = int(os.environ.get("NANOBANANA_SOAK", "0"))
LOGGER: Final = logging.getLogger("nanobanana_async")
SCENES: Final = (
    (),
    ("answer accepted",),
    ("answer lost",),
    ("answer lost", "patience"),
    ("answer lost", "patience", "answer lost"),
    ("answer lost", "patience", "answer lost", "patience"),
    ("deliver 0 processing",),
    ("answer lost", "deliver 0 processing"),
    ("answer lost", "patience", "answer lost", "deliver 0 processing"),
    ("answer accepted", "restart resumed"),
    ("answer lost", "restart resumed"),
    ("answer lost", "restart killed"),
)
"""Where the order begins: events that are drawn alone seldom lead to a second attempt."""
EVENTS: Final = (
    "answer accepted",
    "answer lost",
    "answer 429",
    "answer 400",
    "deliver 0 success",
    "deliver 0 processing",
    "deliver 0 failed",
    "deliver 1 success",
    "deliver 1 processing",
    "patience",
    "leave",
    "see",
    "hold",
    "release",
    "restart",
    "restart resumed",
    "restart killed",
    "restart killed resumed",
    "resume",
    "acknowledge",
)

# A failure is shrunk to its shortest order first.
pytestmark = pytest.mark.timeout(0 if SOAK else 400)

orders = st.builds(
    lambda scene, events: [*scene, *events],
    st.sampled_from(SCENES),
    st.lists(st.sampled_from(EVENTS), min_size=1, max_size=4),
)
options = st.builds(
    Options,
    resubmit=st.sampled_from((False, True, True)),
    confirm=st.sampled_from((False, False, False, True)),
    writes=st.sampled_from((None, 0.0, 0.0, 1.5)),
    listens=st.booleans(),
)


@pytest.fixture(autouse=True)
def _wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_attempts, "unix_time", unix_time)
    monkeypatch.setattr(_attempts, "first_number", lambda: 0)
    monkeypatch.setattr(_resume, "unix_time", unix_time)


@pytest.fixture(autouse=True)
def _thaw() -> Iterator[None]:
    yield
    gc.unfreeze()


@define
class Aftermath:
    """Where anybody may find what became of an attempt, once all is over."""

    results: list[ImageResult] = field(factory=list)
    errors: list[BaseException] = field(factory=list)
    replay: Replay = field(factory=Replay)
    """What a next client would find in the journal."""
    killed: bool = False
    log: str = ""
    alarms: list[str] = field(factory=list)
    """What was logged as an error."""

    def tells(self, attempt: Attempt) -> bool:
        """True where a caller or the log was told of its picture."""
        return attempt.url in self.log or any(attempt.url in r.urls for r in self.results)

    def shows(self, attempt: Attempt) -> bool:
        """True where somebody has its picture, or can get it."""
        return self.tells(attempt) or self.keeps(attempt)

    def names(self, attempt: Attempt) -> bool:
        told = attempt.task_id in [getattr(error, "task_id", None) for error in self.errors]
        written = attempt.task_id in [past.task_id for past in self.replay.attempts.values()]
        return told or written or attempt.task_id in self.log or self.shows(attempt)

    def keeps(self, attempt: Attempt) -> bool:
        """True where the journal has its end, or somebody said that he has it.

        After a kill it may know the task alone: then the next look brings its end.
        """
        kept = {Kind.ENDED, Kind.ACCEPTED} if self.killed else {Kind.ENDED}
        return any(
            past.task_id == attempt.task_id and (past.acknowledged or past.kind in kept)
            for past in self.replay.attempts.values()
        )


async def aftermath(run: Run, log: Records) -> Aftermath:
    after = Aftermath(killed=run.killed)
    for outcome in run.outcomes:
        after.results += [outcome.result] if outcome.result else []
        after.errors += [outcome.error] if outcome.error else []
    if run.call.cancelled():
        pass
    elif error := run.call.exception():
        after.errors.append(error)
    else:
        after.results.append(run.call.result())
    _replay(run, after.replay)
    del run.call
    await asyncio.sleep(1)
    gc.collect()  # what nobody holds any more is named in the log
    after.alarms = [r.getMessage() for r in log.records if r.levelno >= logging.ERROR]
    after.log = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in log.records)
    return after


def _replay(run: Run, replay: Replay) -> None:
    for record in run.journal.records if run.journal else ():
        try:
            replay.apply(record)
        except ValueError as error:
            run.broken.append(f"the journal contradicts itself: {error}")


# What must hold


def nothing_is_lost(run: Run, after: Aftermath) -> None:
    """What the API was answered 200 for, it does not tell again."""
    for attempt in run.api.attempts:
        if attempt.told:
            picture = attempt.end == "success" and not run.options.confirm
            found = after.shows(attempt) if picture else after.names(attempt)
            run.must(found, f"{attempt.task_id} is lost in silence")


def money_is_spent_once(run: Run, _: Aftermath) -> None:
    attempts = run.api.attempts
    run.must(
        len(attempts) <= run.most_posts,
        f"{len(attempts)} submits; {run.most_posts} before a delivery, or while anybody waited",
    )
    if not run.restarts:
        pictures = [a for a in attempts if a.told and a.end == "success"]
        counted = len(pictures) < 2 or run.options.confirm or run.figures.paid_twice > 0
        run.must(counted, "what is paid twice is not counted")
        twice = run.figures.paid_twice == 0 or sum(not a.refused for a in attempts) > 1
        run.must(twice, "what was paid once is counted as paid twice")


def errors_are_true(run: Run, after: Aftermath) -> None:
    """`SubmitUnknownError` where nobody knows, and no error that says "unpaid" where it may be."""
    if run.restarts:
        return
    unknown = any(isinstance(error, SubmitUnknownError) for error in after.errors)
    run.must(not (unknown and run.in_time), "unknown, though its delivery came in time")
    paid = any(attempt.accepted or attempt.lost for attempt in run.api.attempts)
    known = (SubmitUnknownError, TaskFailedError)
    unpaid = [error for error in after.errors if not isinstance(error, known)]
    run.must(not (paid and unpaid), f"may be paid, and its caller is told {unpaid}")


def nobody_is_alarmed(run: Run, after: Aftermath) -> None:
    """One attempt, whose caller has its picture: nothing is worth an error in the log."""
    if len(run.api.attempts) == 1 and after.results and not run.restarts:
        run.must(not after.alarms, f"false alarms: {after.alarms}")


def hints_are_not_believed(run: Run, after: Aftermath) -> None:
    """With `confirm` a look alone tells an end."""
    for attempt in run.api.attempts:
        if run.options.confirm and not attempt.seen:
            run.must(not after.tells(attempt), f"{attempt.task_id} is told, and was not looked at")
            kinds = [p.kind for p in after.replay.attempts.values() if p.task_id == attempt.task_id]
            run.must(Kind.ENDED not in kinds, f"the end of {attempt.task_id} is on record unseen")


def ends_are_their_own(run: Run, after: Aftermath) -> None:
    for past in after.replay.attempts.values():
        if past.kind is Kind.ENDED and not past.acknowledged:
            ended = past.data["status"]["taskId"]
            run.must(ended == past.task_id, f"{past.task_id} has the end of {ended}")
    for outcome in run.outcomes:
        if outcome.result is not None and outcome.attempt is not None:
            right = outcome.result.task_id == f"task_{outcome.attempt - 1}"
            run.must(right, f"attempt {outcome.attempt} is given {outcome.result.task_id}")


def all_is_given_back(run: Run, _: Aftermath) -> None:
    figures = run.figures
    run.must(
        figures.slots_left == figures.slots_in_force
        and figures.slots_unknown == figures.in_flight == figures.queued == 0,
        f"not given back: {figures}",
    )


RULES: Final = (
    nothing_is_lost,
    money_is_spent_once,
    errors_are_true,
    nobody_is_alarmed,
    hints_are_not_believed,
    ends_are_their_own,
    all_is_given_back,
)


async def faults_of(order: list[str], options: Options, log: Records) -> list[str]:
    run = Run(options)

    def complains(_: object, context: dict[str, Any]) -> None:
        run.broken.append(f"asyncio complains: {context}")

    asyncio.get_running_loop().set_exception_handler(complains)
    await run.begin()
    for event in order:
        await run.happen(event)
    await run.end()
    after = await aftermath(run, log)
    for rule in RULES:
        rule(run, after)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    run.must(not left, f"left behind: {left}")
    return run.broken


@given(order=orders, options=options)
@settings(
    deadline=None,
    derandomize=not SOAK,
    database=None,
    max_examples=SOAK or 400,
    report_multiple_bugs=False,
)
def test_in_any_order_nothing_is_lost_or_paid_twice(order: list[str], options: Options) -> None:
    gc.freeze()  # each order ends with a collection, of what it has made itself
    log = Records()
    LOGGER.addHandler(log)
    LOGGER.propagate = False
    try:
        faults = run_virtual(faults_of(order, options, log))
    finally:
        LOGGER.removeHandler(log)
        LOGGER.propagate = True
    assert not faults, f"{faults} after {order} with {options}"
