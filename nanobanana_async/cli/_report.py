"""What the emulator's ledger saw, in words; pure."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nanobanana_async import Limits
from nanobanana_async.cli.demo._tally import Tally
from nanobanana_async.emulator import Ledger

_Row = tuple[str, str]


def clean(ledger: Ledger, tally: Tally) -> bool:
    """Tell whether nothing was refused, nothing submitted twice and every picture is there."""
    return not (_refused(ledger) or ledger.accepted_twice or tally.missing)


def demo_report(
    ledger: Ledger, tally: Tally, limits: Limits, seconds: float, *, folder: Path, sheet: str
) -> str:
    """Sum up a demo whose pictures took `seconds`, in five lines; `sheet` is where it is."""
    made, rate = tally.downloaded, _api_requests(ledger) / seconds
    pictures = f"{_of(made, tally.total)} in {seconds:.1f} s, {made / seconds:.1f} a second"
    rows = [
        ("pictures", f"{pictures}, in {folder}"),
        ("requests", f"{rate:.0f} a second, {_fullest(ledger, limits)}"),
        ("tasks", _tasks(ledger, limits)),
        ("refused", f"{_counts(ledger.refused)}; {_lags(ledger)}"),
        ("contact sheet", sheet),
    ]
    return "\n".join(f"{label:<15}{text}" for label, text in rows)


def _fullest(ledger: Ledger, limits: Limits) -> str:
    limit = limits.requests_per_minute
    return (
        f"limit {limit / 60:.0f}; {ledger.fullest_window:,} in the fullest minute, limit {limit:,}"
    )


def _tasks(ledger: Ledger, limits: Limits) -> str:
    at_once = f"{ledger.most_tasks:,} at once, limit {limits.concurrent_tasks:,}"
    twice = f"{len(ledger.accepted_twice):,} submitted twice"
    return f"{at_once}; {ledger.checks_per_task:.1f} checks each; {twice}"


def _lags(ledger: Ledger) -> str:
    return f"ends seen {ledger.mean_lag:.2f} s late on average, {ledger.longest_lag:.2f} s at most"


def what_is_missing(tally: Tally) -> str:
    """Say how many pictures are not there, and why the first few of them are not."""
    return "\n".join([f"Missing: {tally.missing:,}", *tally.reasons])


def emulator_report(ledger: Ledger, settings: Mapping[str, Any]) -> str:
    """Sum up the life of an emulator that was given `settings`."""
    rows = [
        ("requests", _counts(ledger.requests)),
        ("tasks accepted", f"{ledger.accepted:,}"),
        *_ledger_rows(ledger, settings["requests_per_minute"], settings["concurrent_tasks"]),
        ("faults", _counts(ledger.faults)),
    ]
    return "\n".join(["What the emulator saw:", *_lines(rows)])


def _ledger_rows(ledger: Ledger, minute: int, at_once: int) -> Iterable[_Row]:
    yield "fullest minute", f"{ledger.fullest_window:,} requests, limit {minute:,}"
    yield "most tasks at once", f"{ledger.most_tasks:,}, limit {at_once:,}"
    yield "checks a task", f"{ledger.checks_per_task:.1f}"
    yield "detection lag", f"{ledger.mean_lag:.2f} s on average, {ledger.longest_lag:.2f} s at most"
    yield "refusals", _counts(ledger.refused)
    yield "submitted twice", f"{len(ledger.accepted_twice):,} prompts"


def _lines(rows: Iterable[_Row]) -> Iterable[str]:
    return (f"  {label:<20}{text}" for label, text in rows)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "0"


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}"


def _refused(ledger: Ledger) -> int:
    return sum(ledger.refused.values())


def _api_requests(ledger: Ledger) -> int:
    return sum(count for kind, count in ledger.requests.items() if kind != "download")
