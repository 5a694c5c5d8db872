"""The form of `--fault NAME=PROBABILITY`; which names there are, the emulator knows."""

from collections.abc import Iterable

import click


def read_faults(_: click.Context, __: click.Parameter, texts: Iterable[str]) -> dict[str, float]:
    """Turn the texts into probabilities by name."""
    return dict(_read_fault(text) for text in texts)


def _read_fault(text: str) -> tuple[str, float]:
    name, _, probability = text.partition("=")
    try:
        return name, float(probability)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not NAME=PROBABILITY, such as submit_lost=0.01"
        ) from None
