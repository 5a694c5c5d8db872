"""Waiting for Ctrl-C and SIGTERM."""

import asyncio
import signal

import pytest

from nanobanana_async.cli._signals import first_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_is_caught_and_the_second_is_not(number: signal.Signals) -> None:
    second: list[int] = []
    before = signal.signal(number, lambda caught, _: second.append(caught))
    try:
        with first_signal() as stopped:
            signal.raise_signal(number)
            assert await asyncio.wait_for(stopped, 5) is number
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
    assert second == [number]


async def test_afterwards_the_handlers_are_as_before() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with first_signal() as stopped:
        assert all(signal.getsignal(number) is not handler for number, handler in before.items())
    assert not stopped.done()
    assert {number: signal.getsignal(number) for number in before} == before
