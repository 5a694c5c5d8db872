"""What became of a whole demo, as the emulator's ledger has it; pure."""

from pathlib import Path

from nanobanana_async import Limits
from nanobanana_async.cli._report import counts
from nanobanana_async.cli.demo._tally import Tally
from nanobanana_async.emulator import Ledger


def clean(ledger: Ledger, tally: Tally) -> bool:
    """Tell whether nothing was refused, nothing submitted twice and every picture is there."""
    return not (_refused(ledger) or ledger.accepted_twice or tally.missing)


def demo_report(
    ledger: Ledger, tally: Tally, limits: Limits, seconds: float, *, folder: Path, sheet: str
) -> str:
    """Sum up a demo whose pictures took `seconds`, in five lines; `sheet` is where it is."""
    made, rate = tally.downloaded, _api_requests(ledger) / seconds
    pictures = f"{made:,} of {tally.total:,} in {seconds:.1f} s, {made / seconds:.1f} a second"
    rows = [
        ("pictures", f"{pictures}, in {folder}"),
        ("requests", f"{rate:.0f} a second, {_fullest(ledger, limits)}"),
        ("tasks", _tasks(ledger, limits)),
        ("refused", f"{counts(ledger.refused)}; {_lags(ledger)}"),
        ("contact sheet", sheet),
    ]
    return "\n".join(f"{label:<15}{text}" for label, text in rows)


def _fullest(ledger: Ledger, limits: Limits) -> str:
    limit, fullest = limits.requests_per_minute, ledger.fullest_window
    return f"limit {limit / 60:.0f}; {fullest:,} in the fullest minute, limit {limit:,}"


def _tasks(ledger: Ledger, limits: Limits) -> str:
    at_once = f"{ledger.most_tasks:,} at once, limit {limits.concurrent_tasks:,}"
    twice = f"{len(ledger.accepted_twice):,} submitted twice"
    return f"{at_once}; {ledger.checks_per_task:.1f} checks each; {twice}"


def _lags(ledger: Ledger) -> str:
    return f"ends seen {ledger.mean_lag:.2f} s late on average, {ledger.longest_lag:.2f} s at most"


def what_is_missing(tally: Tally) -> str:
    """Say how many pictures are not there, and why the first few of them are not."""
    return "\n".join([f"Missing: {tally.missing:,}", *tally.reasons])


def _refused(ledger: Ledger) -> int:
    return sum(ledger.refused.values())


def _api_requests(ledger: Ledger) -> int:
    return sum(count for kind, count in ledger.requests.items() if kind != "download")
