"""The forms of `--fault` and `--episode`; which names there are, the emulator knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nanobanana_async.emulator import Episode


def read_faults(_: click.Context, __: click.Parameter, texts: Iterable[str]) -> dict[str, float]:
    """Turn `NAME=PROBABILITY` into probabilities by name."""
    return dict(_read_fault(text) for text in texts)


def read_episodes(_: click.Context, __: click.Parameter, texts: Iterable[str]) -> list[Episode]:
    """Turn `NAME=START+LENGTH` into episodes."""
    return [_read_episode(text) for text in texts]


def _read_fault(text: str) -> tuple[str, float]:
    name, _, probability = text.partition("=")
    try:
        return name, float(probability)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not NAME=PROBABILITY, such as submit_lost=0.01"
        ) from None


def _read_episode(text: str) -> Episode:
    from nanobanana_async.emulator import Episode  # noqa: PLC0415 - slow, not for --help

    name, _, times = text.partition("=")
    try:
        start, length = map(float, times.split("+"))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not NAME=START+LENGTH in seconds, such as any_502=60+600"
        ) from None
    try:
        return Episode(name, start, length)
    except ValueError as error:
        raise click.BadParameter(str(error.args[0])) from None
