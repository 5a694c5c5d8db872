"""Loops and threads, in real time."""

import asyncio
import gc

import pytest

from nanobanana_async import Limits, NanoBananaClient, WrongLoopError
from nanobanana_async.emulator import Emulator, Stuck
from tests.emulated import emulated


async def test_another_loop_is_told_at_once() -> None:
    async with emulated() as (client, _):

        def elsewhere() -> None:
            with pytest.raises(WrongLoopError):
                asyncio.run(client.generate("a cat"))
            with pytest.raises(WrongLoopError):
                client.limits = Limits(2, 1)

        await asyncio.to_thread(elsewhere)
        assert client.limits == Limits()


def test_a_client_built_outside_works_in_the_loop_that_is_running_when_it_is_entered() -> None:
    async def main() -> None:
        async with Emulator(speed=100, service=Stuck(10.0)) as emulator:
            client = NanoBananaClient("sk-emulator", base_url=emulator.url)
            async with client:
                await client.generate("a cat")

    asyncio.run(main())


def test_the_limits_of_a_closed_client_can_be_set_anywhere() -> None:
    async def main() -> NanoBananaClient:
        async with emulated() as (client, _):
            await client.balance()
        return client

    client = asyncio.run(main())
    client.limits = Limits(2, 1)
    assert client.limits == Limits(2, 1)


def test_a_client_that_was_never_used_leaves_nothing() -> None:
    NanoBananaClient("sk-emulator")
    gc.collect()  # an unclosed session would warn, and warnings are errors here


def test_stopping_the_program_midway_ends_cleanly() -> None:
    """`asyncio.run` cancels everything when its main coroutine is interrupted."""

    async def main() -> None:
        async with Emulator() as emulator:
            client = NanoBananaClient("sk-emulator", base_url=emulator.url)
            call = asyncio.ensure_future(client.generate("a cat"))
            while not emulator.ledger().accepted:
                await asyncio.sleep(0)
            call.cancel()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    gc.collect()
