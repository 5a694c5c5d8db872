"""Faults by name and probability.

A fault's name is `{kind}_{act}`, such as `submit_lost` or `check_502_html_after`. The kinds are
submits, checks, balance requests and downloads; the acts stand in `_acts.py`. What callbacks suffer
stands in `_callback_faults.py`.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from nanobanana_async.emulator._acts import ACTS, ALL, API, Act
from nanobanana_async.emulator._callback_faults import CALLBACK_FAULTS, OF_TASKS
from nanobanana_async.emulator._checks import is_probability
from nanobanana_async.emulator._routes import Kind

FAULTS: Final[Mapping[str, Act]] = {
    f"{kind}_{act.name}": act for kind in ALL for act in ACTS if kind in act.kinds
}

# What an episode can name besides: the acts that submits, checks and balance requests share.
ANY_FAULTS: Final[Mapping[str, tuple[str, ...]]] = {
    f"any_{act.name}": tuple(f"{kind}_{act.name}" for kind in API)
    for act in ACTS
    if set(API) <= set(act.kinds)
}


def unknown_fault(name: str) -> str:
    """Say how a fault is named, and which names are near this one."""
    known = [*FAULTS, *(ANY_FAULTS if name.startswith("any_") else CALLBACK_FAULTS)]
    near = get_close_matches(name, known, n=3)
    hint = f". Near it: {', '.join(near)}" if near else ""
    return (
        f"there is no fault {name!r}: a name is one of {', '.join(CALLBACK_FAULTS)}; or a kind "
        f"({', '.join(ALL)}; for an episode also any), _ and an act, such as lost, slow, silent, "
        f"429, 502 or 502_html; most acts come with _after, too{hint}"
    )


def check_faults(faults: Mapping[str, float]) -> None:
    """Raise ValueError for an unknown name or a probability that cannot be."""
    for name, probability in faults.items():
        if name not in FAULTS and name not in CALLBACK_FAULTS:
            raise ValueError(unknown_fault(name))
        if not is_probability(probability):
            msg = f"a probability is from 0 to 1, not {name}={probability!r}"
            raise ValueError(msg)
    for kind in ALL:
        # A request suffers at most one fault, so those of a kind exclude each other.
        _check_sum(f"the {kind} faults", [p for _, p in of_kind(faults, kind)])
    _check_sum(", ".join(OF_TASKS), [faults.get(name, 0.0) for name in OF_TASKS])


def _check_sum(names: str, probabilities: Sequence[float]) -> None:
    # The small allowance is for sums such as .7 + .2 + .1.
    if sum(probabilities) > 1 + 1e-9:
        msg = f"the probabilities of {names} add up to more than 1"
        raise ValueError(msg)


def of_kind(faults: Mapping[str, float], kind: Kind) -> list[tuple[str, float]]:
    """Return the faults of a kind that have a chance."""
    return [(name, p) for name, p in faults.items() if name.startswith(f"{kind}_") and p > 0]
