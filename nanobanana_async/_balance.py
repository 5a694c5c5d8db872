"""The balance query: harmless to repeat, so it is repeated where its answer tells nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random
from typing import Any, Final

from nanobanana_async._codec import Answer, Limited, Refused
from nanobanana_async._dispatcher import Dispatcher
from nanobanana_async._errors import NanoBananaError
from nanobanana_async._retry import Backoff
from nanobanana_async._tracker import STATUS_PATIENCE, refused_for_long

__all__ = ["balance"]

_AGAIN: Final = Backoff(1.0, 8.0, jitter=0.1)


async def balance(dispatcher: Dispatcher, random: Random) -> Any:
    """Ask until there is an answer, or for `STATUS_PATIENCE` seconds of answers that are none."""
    loop = asyncio.get_running_loop()
    trouble_at, failures = None, 0
    while True:
        answer = await dispatcher.ask_balance()
        match answer:
            case Answer(data):
                return data
            case Refused(error):
                raise error
            case Limited():
                trouble: NanoBananaError = refused_for_long()
            case _:
                trouble = answer.error
        trouble_at = loop.time() if trouble_at is None else trouble_at
        if loop.time() - trouble_at >= STATUS_PATIENCE:
            raise trouble
        failures += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(dispatcher.stopping.wait(), _AGAIN.delay(failures, random))
