"""Faults by name and probability.

A fault's name is `{kind}_{act}`, such as `submit_lost` or `check_503_bare`. The kinds are submits,
checks and downloads; the acts stand in one table, so a further act is one entry.
"""

from collections.abc import Mapping
from random import Random
from typing import Final

from attrs import frozen

from nanobanana_async.emulator._envelope import TOO_MANY, proxy_page, refusal
from nanobanana_async.emulator._wire import Outcome, Reset


@frozen
class Fault:
    """What the client gets instead of the answer."""

    outcome: Outcome
    after: bool = False
    """The request is worked on first: a submit is accepted, and nobody hears of it."""


KINDS: Final = ("submit", "check", "download")

ACTS: Final[Mapping[str, Fault]] = {
    "reset": Fault(Reset()),
    "lost": Fault(Reset(), after=True),
    "500": Fault(refusal(500, "Internal server error")),
    "503": Fault(refusal(503, "Service temporarily unavailable")),
    "503_bare": Fault(proxy_page(503, "Service Unavailable")),
    "429": Fault(TOO_MANY),
}

FAULTS: Final[Mapping[str, Fault]] = {
    f"{kind}_{act}": fault for kind in KINDS for act, fault in ACTS.items()
}


def check_faults(faults: Mapping[str, float]) -> None:
    """Raise ValueError for an unknown name or a probability that cannot be."""
    wrong = [f"{name}={p}" for name, p in faults.items() if name not in FAULTS or not 0 <= p <= 1]
    if wrong:
        msg = (
            f"not a fault with a probability from 0 to 1: {', '.join(wrong)}; "
            f"the faults are {', '.join(FAULTS)}"
        )
        raise ValueError(msg)
    for kind in KINDS:
        # A request suffers at most one fault, so those of a kind exclude each other. The
        # small allowance is for sums such as .7 + .2 + .1.
        if sum(p for _, p in _of_kind(faults, kind)) > 1 + 1e-9:
            msg = f"the probabilities of the {kind} faults add up to more than 1"
            raise ValueError(msg)


def _of_kind(faults: Mapping[str, float], kind: str) -> list[tuple[str, float]]:
    return [(name, p) for name, p in faults.items() if name.startswith(f"{kind}_") and p > 0]


class FaultInjector:
    """Decides for each request which fault it suffers, if any."""

    def __init__(self, faults: Mapping[str, float], rng: Random) -> None:
        """Take faults that passed `check_faults`, and a generator that nothing else uses."""
        self._by_kind = {kind: _of_kind(faults, kind) for kind in KINDS}
        self._rng = rng

    def draw(self, kind: str) -> str | None:
        """Name the fault of this request, or None; one random number a request at most."""
        chances = self._by_kind.get(kind)
        if not chances:
            return None
        left = self._rng.random()
        for name, probability in chances:
            left -= probability
            if left < 0:
                return name
        return None
