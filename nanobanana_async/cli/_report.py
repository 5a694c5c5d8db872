"""What the emulator's ledger saw, in words; pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from nanobanana_async.emulator import Ledger

_Row = tuple[str, str]


def emulator_report(ledger: Ledger, settings: Mapping[str, Any]) -> str:
    """Sum up the life of an emulator that was given `settings`."""
    rows = [
        ("requests", counts(ledger.requests)),
        ("tasks accepted", f"{ledger.accepted:,}"),
        *_ledger_rows(ledger, settings["requests_per_minute"], settings["concurrent_tasks"]),
        ("faults", counts(ledger.faults)),
    ]
    return "\n".join(["What the emulator saw:", *_lines(rows)])


def _ledger_rows(ledger: Ledger, minute: int, at_once: int) -> Iterable[_Row]:
    yield "fullest minute", f"{ledger.fullest_window:,} requests, limit {minute:,}"
    yield "most tasks at once", f"{ledger.most_tasks:,}, limit {at_once:,}"
    yield "checks a task", f"{ledger.checks_per_task:.1f}"
    yield "detection lag", f"{ledger.mean_lag:.2f} s on average, {ledger.longest_lag:.2f} s at most"
    yield "refusals", counts(ledger.refused)
    yield "submitted twice", f"{len(ledger.accepted_twice):,} prompts"


def _lines(rows: Iterable[_Row]) -> Iterable[str]:
    return (f"  {label:<20}{text}" for label, text in rows)


def counts(numbers: Mapping[str, int]) -> str:
    """Name what is not 0, with its number."""
    return ", ".join(f"{count:,} {name}" for name, count in numbers.items() if count) or "0"
