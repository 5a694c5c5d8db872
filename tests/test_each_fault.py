"""Each fault alone, through both fronts of the emulator: what the caller gets, and what was paid.

What each act must lead to is written down here by the documented meaning of answers. An act that
is new to the emulator's table is tested by itself: as a submit whose answer is lost, as a look that
never fails its task, as a download that is tried again; queries ask for an expectation of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest
from PIL import Image

from nanobanana_async import (
    APIConnectionError,
    APIStatusError,
    DownloadError,
    ImageRequest,
    ImageResult,
    InvalidRequestError,
    NanoBananaClient,
    NanoBananaError,
    QueueTimeoutError,
    RateLimitError,
    ResultUnreadableError,
    ServerError,
    SubmitUnknownError,
    TaskNotFoundError,
    TaskStatus,
    TaskTimeoutError,
)
from nanobanana_async._retry import Backoff
from nanobanana_async.emulator import Emulator, Episode, LogNormal
from nanobanana_async.emulator._faults import FAULTS
from nanobanana_async.emulator._ledger import Ledger
from tests.emulated import emulated
from tests.emulator.shapes import BROKEN, CUT, DRESSED, SILENT, is_after
from tests.test_secrets import KEY, leaks

REQUEST = ImageRequest("a cat", key="cafe")
AT_ONCE = LogNormal(1e-9, 0.0)
PATIENCE = 30.0
"""Seconds that are given to a query without a useful answer, and to a task that is not known."""
SOON = 15.0
"""Seconds in which an answer has arrived that comes late, by the fault `slow`."""
BOUND = 100.0
"""Seconds after which even a caller who was never answered has been told so."""

T = TypeVar("T")
Opened: TypeAlias = tuple[NanoBananaClient, Callable[[], Ledger]]
Front: TypeAlias = Callable[..., AbstractAsyncContextManager[Opened]]
Expectations: TypeAlias = Mapping[str, type[Any]]


# What must come of each act

NOT_NOW = ("429", "429_retry_after", "200_code_429", "503", "200_code_503")
"""The acts by which the API itself says that it has not taken a submit and later may."""

SUBMITS: Expectations = {
    **dict.fromkeys(NOT_NOW, QueueTimeoutError),
    "200_code_400": InvalidRequestError,
    "slow": ImageResult,
    "forgotten": TaskNotFoundError,
}
"""Every other act leaves it open whether the submit was accepted."""

ENDS: Expectations = {
    **dict.fromkeys(("404", "forgotten"), TaskNotFoundError),
    **dict.fromkeys(("no_result", "empty_result", "bad_result"), ResultUnreadableError),
    **dict.fromkeys(("times_missing", "times_reversed", "slow"), ImageResult),
}
"""Every other act tells nothing of the task, or that it is not finished."""

QUERIES: Expectations = {
    **dict.fromkeys((*BROKEN, *CUT, *SILENT), APIConnectionError),
    **dict.fromkeys(("429", "429_retry_after", "200_code_429"), RateLimitError),
    **{act: ServerError if act.startswith("5") else APIStatusError for act in DRESSED},
    # In an answer 2xx the envelope's code is the answer.
    **dict.fromkeys(("200_code_500", "200_code_500_after", "200_code_503"), ServerError),
    **{
        f"{act}{moment}": APIStatusError
        for act in ("307", "truncated", "huge", "wrong_content")
        for moment in ("", "_after")
    },
}
"""What looks and balance queries have in common: each repeats itself while it learns nothing."""

STATUSES: Expectations = {
    **QUERIES,
    **dict.fromkeys(("wrong_shape", "wrong_shape_after"), APIStatusError),
    # The task is paid for: nothing that says the contrary may come of looking at it.
    "200_code_400": APIStatusError,
    **dict.fromkeys(("404", "forgotten"), TaskNotFoundError),
    **dict.fromkeys(("no_result", "empty_result", "bad_result"), TaskStatus),
    **dict.fromkeys(("times_missing", "times_reversed", "slow", "unknown_state"), TaskStatus),
}

BALANCES: Expectations = {
    **QUERIES,
    "200_code_400": InvalidRequestError,
    "slow": dict,
    # What a balance looks like is not documented: any `data` is handed on.
    **dict.fromkeys(("wrong_shape", "wrong_shape_after"), list),
}

FINAL = ("404", "wrong_content")
"""Of downloads: a further try would bring the same."""
WITH_BODY = ("cut", "slow", "wrong_content")
"""Of downloads: a thread draws a picture, or writes what came. No threads in virtual time."""
SEED = 2
"""With it, of two requests that may each suffer a fault by half, the first one does."""


# Ways to the emulator, and what comes back


@asynccontextmanager
async def in_memory(**settings: Any) -> AsyncIterator[Opened]:
    loop = asyncio.get_running_loop()
    async with emulated(service=AT_ONCE, **settings) as (client, wire):
        yield client, lambda: wire.core.ledger(loop.time())


@asynccontextmanager
async def over_http(request_timeout: float = 30.0, **settings: Any) -> AsyncIterator[Opened]:
    """Real sockets, and a key that is searched for in whatever is raised."""
    async with (
        Emulator(api_key=KEY, service=AT_ONCE, **settings) as emulator,
        NanoBananaClient(KEY, base_url=emulator.url, request_timeout=request_timeout) as client,
    ):
        yield client, emulator.ledger


def acts_of(kind: str) -> list[str]:
    """What the emulator can do to requests of a kind; from its own table, so that none is left out."""
    return [name.removeprefix(f"{kind}_") for name in FAULTS if name.startswith(f"{kind}_")]


def each(acts: Collection[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("act", acts)


through_both_fronts = pytest.mark.parametrize(
    "front", [in_memory, over_http], ids=["memory", "http"]
)


async def outcome_of(call: Awaitable[T]) -> tuple[T | NanoBananaError, float]:
    """What a call returns or raises, which never shows the key; and the seconds that it took."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        outcome: T | NanoBananaError = await call
    except NanoBananaError as error:
        outcome = error
    seconds = loop.time() - begun
    assert leaks([outcome] if isinstance(outcome, NanoBananaError) else []) == []
    return outcome, seconds


def took_its_time(outcome: object, seconds: float) -> bool:
    """True where trouble was told after patience with it, and anything else at once."""
    if isinstance(outcome, APIStatusError | APIConnectionError | TaskNotFoundError):
        return PATIENCE <= seconds <= BOUND
    return seconds <= SOON


# Submits


@pytest.mark.virtual_time
@through_both_fronts
@each(acts_of("submit"))
async def test_a_submit_says_truly_whether_it_was_paid_for(front: Front, act: str) -> None:
    wanted = SUBMITS.get(act, SubmitUnknownError)
    timeout = 60 if wanted is QueueTimeoutError else BOUND
    async with front(faults={f"submit_{act}": 1.0}) as (client, ledger):
        outcome, seconds = await outcome_of(client.generate(REQUEST, timeout=timeout))
        seen = ledger()
    assert type(outcome) is wanted
    assert seen.faults == {f"submit_{act}": seen.requests["submit"]}
    assert seen.accepted == (is_after(act) or act in ("slow", "forgotten"))
    assert (seen.requests["submit"] > 1) == (wanted is QueueTimeoutError)
    if isinstance(outcome, SubmitUnknownError):
        assert outcome.request == REQUEST
        assert seconds <= PATIENCE + 2  # as long as a request may take, and aiohttp rounds up
    elif isinstance(outcome, TaskNotFoundError):
        assert took_its_time(outcome, seconds)


# Looks


@pytest.mark.virtual_time
@through_both_fronts
@each([act for act in acts_of("check") if act in ENDS])
async def test_a_look_ends_a_task_by_what_it_says_for_long(front: Front, act: str) -> None:
    async with front(faults={f"check_{act}": 1.0}) as (client, ledger):
        task = await client.submit(REQUEST)
        outcome, seconds = await outcome_of(task.result(timeout=BOUND))
        seen = ledger()
    assert type(outcome) is ENDS[act]
    assert set(seen.faults) == {f"check_{act}"}
    assert outcome.task_id == task.id
    assert seen.requests["submit"] == 1
    if isinstance(outcome, ResultUnreadableError):
        assert (outcome.raw["taskId"], outcome.raw["state"]) == (task.id, "success")
        assert 2 * PATIENCE <= seconds <= BOUND
    else:
        assert took_its_time(outcome, seconds)
        assert (seen.requests["check"] >= 3) == isinstance(outcome, TaskNotFoundError)


@pytest.mark.virtual_time
@through_both_fronts
@each([act for act in acts_of("check") if act not in ENDS])
async def test_no_other_look_fails_a_task(front: Front, act: str) -> None:
    episode = Episode(f"check_{act}", start=0.0, length=125.0)
    async with front(episodes=[episode]) as (client, ledger):
        error, _ = await outcome_of(client.generate(REQUEST, timeout=120))
        assert isinstance(error, TaskTimeoutError)
        assert error.task is not None
        result, seconds = await outcome_of(error.task)
        seen = ledger()
    assert isinstance(result, ImageResult)
    assert result.task_id == error.task_id == error.task.id
    assert seconds <= BOUND
    assert seen.faults[f"check_{act}"] == seen.requests["check"] - 1
    assert seen.requests["submit"] == 1


@pytest.mark.virtual_time
@through_both_fronts
@each(acts_of("check"))
async def test_a_status_is_told_or_says_why_not(front: Front, act: str) -> None:
    async with front(faults={f"check_{act}": 1.0}) as (client, ledger):
        task = await client.submit(REQUEST)
        outcome, seconds = await outcome_of(task.status())
        left = client.unfinished()
        seen = ledger()
    assert type(outcome) is STATUSES[act]
    assert set(seen.faults) == {f"check_{act}"}
    assert outcome.task_id == task.id
    assert took_its_time(outcome, seconds)
    # Of the errors only this one is an end of the task.
    if isinstance(outcome, NanoBananaError):
        assert left == ([] if isinstance(outcome, TaskNotFoundError) else [task.id])
    assert seen.requests["submit"] == 1


# The balance


@pytest.mark.virtual_time
@through_both_fronts
@each(acts_of("balance"))
async def test_a_balance_is_told_or_says_why_not(front: Front, act: str) -> None:
    async with front(faults={f"balance_{act}": 1.0}) as (client, ledger):
        outcome, seconds = await outcome_of(client.balance())
        seen = ledger()
    assert type(outcome) is BALANCES[act]
    assert seen.faults == {f"balance_{act}": seen.requests["balance"]}
    assert took_its_time(outcome, seconds)
    assert (seen.requests["balance"] > 1) == (seconds > SOON)


# Downloads


@asynccontextmanager
async def a_result(
    **settings: Any,
) -> AsyncIterator[tuple[NanoBananaClient, ImageResult, Callable[[], Ledger]]]:
    """A result, asked for at once: the client would look for the first time after a second."""
    async with over_http(**settings) as (client, ledger):
        task = await client.submit(REQUEST)
        await task.status()
        yield client, await task, ledger


def is_whole(path: Path) -> bool:
    with Image.open(path) as picture:
        picture.load()
        return picture.format == "PNG"


@pytest.fixture
def _tries_follow_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanobanana_async._download._AGAIN", Backoff(1e-3, 1e-3))


async def fails_for_good(act: str, folder: Path) -> None:
    """Download with a fault that does not go away: nothing is left, and the task is named."""
    async with a_result(faults={f"download_{act}": 1.0}) as (client, result, ledger):
        error, _ = await outcome_of(client.download(result, folder))
        seen = ledger()
    assert type(error) is DownloadError
    assert error.task_id == result.task_id
    assert list(folder.iterdir()) == []
    assert seen.faults == {f"download_{act}": seen.requests["download"]}
    assert (seen.requests["download"] == 1) == (act in FINAL)
    assert seen.keys_leaked == 0


@pytest.mark.virtual_time
@each([act for act in acts_of("download") if act not in WITH_BODY])
async def test_a_download_that_never_begins_leaves_nothing(tmp_path: Path, act: str) -> None:
    await fails_for_good(act, tmp_path)


@pytest.mark.usefixtures("_tries_follow_at_once")
@each([act for act in WITH_BODY if act != "slow"])
async def test_a_download_that_is_never_whole_leaves_nothing(tmp_path: Path, act: str) -> None:
    await fails_for_good(act, tmp_path)


@pytest.mark.usefixtures("_tries_follow_at_once")
@each([act for act in acts_of("download") if act not in FINAL])
async def test_a_download_that_fails_once_is_mended(tmp_path: Path, act: str) -> None:
    """By another try, by following where it leads, or by waiting for it."""
    once = {"faults": {f"download_{act}": 0.5}, "seed": SEED, "slow_seconds": 0.05}
    async with a_result(request_timeout=1.0, **once) as (client, result, ledger):
        path = await client.download(result, tmp_path)
        seen = ledger()
    assert is_whole(path)
    assert list(tmp_path.iterdir()) == [path]
    assert (seen.faults, seen.keys_leaked) == ({f"download_{act}": 1}, 0)
    assert seen.requests["download"] == (1 if act == "slow" else 2)
