"""What a new user gets wrong, over real sockets: one clear error each, in time, nothing lost.

From Python, and from the shell, where the last line of the traceback is what a person reads.
"""

import asyncio
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nanobanana_async import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    ImageRequest,
    InsufficientBalanceError,
    InvalidRequestError,
    MissingKeyError,
    NanoBananaClient,
    NanoBananaError,
    NotSubmittedError,
    TaskFailedError,
    TaskNotFoundError,
)
from nanobanana_async.emulator import Emulator, Stuck
from tests.emulated import emulated, rest_of

REFERENCE = "https://pictures.example/cat.jpg"
UNREACHABLE = "https://pictures.invalid/cat.jpg"


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(speed=100, service=Stuck(10.0)) as running:
        yield running


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "empty prompt": ({"prompt": ""}, r"prompt='': must be text of 1 to 20,000 characters"),
    "20,001 characters": ({"prompt": "x" * 20_001}, r"prompt='x+….*1 to 20,000.*20,001"),
    "15 reference images": (
        {"prompt": "a cat", "image_urls": [REFERENCE] * 15},
        r"image_urls=.*at most 14 URLs \(there are 15\)",
    ),
    "image-to-image without images": (
        {"prompt": "a cat", "mode": "image-to-image"},
        r"image_urls=\[\]: must be 1 to 14 URLs",
    ),
    "an unknown ratio": (
        {"prompt": "a cat", "aspect_ratio": "7:5"},
        r"aspect_ratio='7:5': must be one of auto, 1:1",
    ),
    "everything at once": (
        {"prompt": "", "resolution": "8k", "output_format": "gif", "provider": "cheap"},
        r"prompt=.*resolution='8K'.*output_format='gif'.*provider='cheap'",
    ),
}


@pytest.mark.parametrize(("fields", "message"), INVALID.values(), ids=INVALID)
async def test_an_invalid_request_is_refused_before_anything_is_sent(
    emulator: Emulator, fields: dict[str, Any], message: str
) -> None:
    async with NanoBananaClient("sk-emulator", base_url=emulator.url) as client:
        with pytest.raises(InvalidRequestError, match=message):
            await client.generate(**fields)
    assert emulator.ledger().requests["submit"] == 0


async def test_a_prompt_that_violates_policy_and_an_unreachable_reference(
    emulator: Emulator,
) -> None:
    async with NanoBananaClient("sk-emulator", base_url=emulator.url) as client:
        with pytest.raises(TaskFailedError) as caught:
            await client.generate("a forbidden cat")
        assert (caught.value.fail_code, caught.value.group) == ("CONTENT_VIOLATION", "content")
        assert caught.value.task_id is not None
        with pytest.raises(TaskFailedError, match="INVALID_IMAGE_URL") as caught:
            await client.generate("a cat", image_urls=[UNREACHABLE])
        assert (caught.value.group, caught.value.retryable) == ("image", False)


async def test_a_balance_that_runs_out_midway_loses_nothing() -> None:
    async with (
        Emulator(speed=100, service=Stuck(10.0), balance=1.0, price=0.1) as emulator,
        NanoBananaClient("sk-emulator", base_url=emulator.url) as client,
    ):
        run = client.generate_many(f"cat {number}" for number in range(40))
        outcomes, error = await rest_of(run)
        assert isinstance(error, InsufficientBalanceError)
        assert "Top up" in str(error)
        assert sum(outcome.result is not None for outcome in outcomes) == 10
        unpaid = [outcome.error for outcome in outcomes if outcome.error]
        assert all(
            isinstance(error, NotSubmittedError | InsufficientBalanceError) for error in unpaid
        )
        assert len(outcomes) == 40
        assert emulator.ledger().accepted == 10


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


Use = Callable[[NanoBananaClient], Awaitable[object]]

USES: dict[str, Use] = {
    "generate": lambda client: client.generate("a cat"),
    "submit": lambda client: client.submit(ImageRequest("a cat")),
    "balance": lambda client: client.balance(),
    "status": lambda client: client.task("task_123").status(),
    "a hundred": lambda client: asyncio.gather(*(client.generate("a cat") for _ in range(100))),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
class TestWhereNothingWorks:
    async def test_a_wrong_key(self, emulator: Emulator, use: Use) -> None:
        async with NanoBananaClient("sk-wrong", base_url=emulator.url) as client:
            with within(5), pytest.raises(AuthenticationError, match="Check the API key") as caught:
                await use(client)
        assert (caught.value.status, caught.value.code) == (401, 401)
        assert "sk-wrong" not in str(caught.value)

    async def test_a_wrong_path(self, emulator: Emulator, use: Use) -> None:
        url = f"{emulator.url}/wrong"
        async with NanoBananaClient("sk-emulator", base_url=url) as client:
            if use is USES["status"]:  # a proxy's 404 never ends a paid task
                assert await self.asked_on(client)
                return
            with within(5), pytest.raises(APIStatusError, match="Check base_url") as caught:
                await use(client)
        assert url in str(caught.value)
        assert caught.value.status == 404

    @staticmethod
    async def asked_on(client: NanoBananaClient) -> bool:
        status = asyncio.ensure_future(client.task("task_123").status())
        while client.statistics().checks < 2:
            await asyncio.sleep(0.01)
        return status.cancel()

    async def test_no_network(self, use: Use) -> None:
        async with NanoBananaClient(
            "sk-emulator", base_url="http://nowhere.invalid", connect_patience=1.5
        ) as client:
            with within(5), pytest.raises(APIConnectionError, match=r"nowhere\.invalid") as caught:
                await use(client)
        assert "Check the network" in str(caught.value)


@pytest.mark.virtual_time
async def test_an_unknown_task_id() -> None:
    async with emulated() as (client, _):
        for ask in (client.task("task_123").result, client.task("task_123").status):
            with pytest.raises(TaskNotFoundError, match="task_123") as caught:
                await ask()
            assert "Check the id" in str(caught.value)
        assert asyncio.get_running_loop().time() < 120


SCRIPT = """
import asyncio
from nanobanana_async import NanoBananaClient

async def main():
    async with NanoBananaClient(connect_patience=1) as client:
        {call}

asyncio.run(main())
"""

CASES: dict[str, tuple[str, dict[str, str], type[NanoBananaError]]] = {
    "no key": ("await client.generate('a cat')", {"APIXO_API_KEY": ""}, MissingKeyError),
    "wrong key": (
        "await client.generate('a cat')",
        {"APIXO_API_KEY": "sk-wrong"},
        AuthenticationError,
    ),
    "wrong base URL": (
        "await client.generate('a cat')",
        {"APIXO_BASE_URL": "http://nowhere.invalid"},
        APIConnectionError,
    ),
    "empty prompt": ("await client.generate('')", {}, InvalidRequestError),
    "20,001 characters": ("await client.generate('x' * 20_001)", {}, InvalidRequestError),
    "15 reference images": (
        f"await client.generate('a cat', image_urls=['{REFERENCE}'] * 15)",
        {},
        InvalidRequestError,
    ),
    "image-to-image without images": (
        "await client.generate('a cat', mode='image-to-image')",
        {},
        InvalidRequestError,
    ),
    "an unknown ratio": (
        "await client.generate('a cat', aspect_ratio='7:5')",
        {},
        InvalidRequestError,
    ),
    "an unknown task id": ("await client.task('task_123')", {}, TaskNotFoundError),
    "policy": ("await client.generate('a forbidden cat')", {}, TaskFailedError),
    "unreachable reference": (
        f"await client.generate('a cat', image_urls=['{UNREACHABLE}'])",
        {},
        TaskFailedError,
    ),
}


@pytest.mark.parametrize(("call", "environment", "error"), CASES.values(), ids=CASES)
async def test_a_script_ends_with_one_clear_line(
    emulator: Emulator, call: str, environment: dict[str, str], error: type[NanoBananaError]
) -> None:
    await run_script(emulator, call, environment, error)


async def test_a_script_whose_balance_runs_out_ends_with_one_clear_line() -> None:
    call = "print([o.index async for o in client.generate_many(map(str, range(9))) if o.result])"
    async with Emulator(speed=100, service=Stuck(10.0), balance=0.5, price=0.1) as emulator:
        await run_script(emulator, call, {}, InsufficientBalanceError)
        assert emulator.ledger().accepted == 5


async def run_script(
    emulator: Emulator, call: str, environment: dict[str, str], error: type[NanoBananaError]
) -> None:
    script = textwrap.dedent(SCRIPT).format(call=call)
    settings = {"APIXO_API_KEY": "sk-emulator", "APIXO_BASE_URL": emulator.url} | environment
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=100,  # an unknown id is asked for during half a minute
        check=False,
    )
    *above, last = process.stderr.strip().splitlines()
    assert process.returncode == 1
    assert re.match(rf"nanobanana_async\.{error.__name__}: \S", last), process.stderr
    assert "never retrieved" not in process.stderr
    assert "sk-" not in process.stderr
    # One error, not one that happened while another was handled.
    assert not any(line.startswith("During handling") for line in above)
