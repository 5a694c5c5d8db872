"""What a run is measured by; everything comes from the emulator's ledger, not from the client."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from attrs import frozen

from benchmarks.oracle import oracle
from nanobanana_async.emulator import Ledger

__all__ = ["Figures", "of_ledger", "throughput"]


@frozen(kw_only=True)
class Figures:
    """One run. Times in seconds."""

    throughput: float
    """Tasks accepted a second, the start left out."""
    oracle: float
    """The same of perfect knowledge, on the same service times."""
    lag: float
    p99_lag: float
    checks: float
    """Status checks a task."""
    requests: int
    refused_for_rate: int
    refused_for_places: int
    seconds: float
    """From the start to the last end that was seen."""

    @property
    def share(self) -> float:
        """Throughput as a share of the oracle's."""
        return self.throughput / self.oracle

    @property
    def refused(self) -> int:
        return self.refused_for_rate + self.refused_for_places

    def __str__(self) -> str:
        return (
            f"{self.throughput:.1f} tasks/s, {self.share:.3f} of the oracle, lag {self.lag:.2f} s, "
            f"{self.checks:.2f} checks a task, {self.refused} refused"
        )


def throughput(accepted_at: Sequence[float], warm_up: float) -> float:
    """Return X = (n - k) / (a_n - a_k), k = `warm_up` n; a_i is when submit i was accepted."""
    n = len(accepted_at)
    k = round(warm_up * n)
    return (n - k) / (accepted_at[n - 1] - accepted_at[k - 1])


def of_ledger(ledger: Ledger, warm_up: float, *, settled_lag: bool = False) -> Figures:
    """Measure a run that has ended."""
    lags = ledger.lags[round(warm_up * len(ledger.lags)) if settled_lag else 0 :]
    known = sorted(lag for lag in lags if lag is not None)
    ends = zip(ledger.accepted_at, ledger.service_times, ledger.lags, strict=True)
    return Figures(
        throughput=throughput(ledger.accepted_at, warm_up),
        oracle=throughput(oracle(ledger.service_times), warm_up),
        lag=fmean(known),
        p99_lag=known[int(0.99 * len(known))],
        checks=ledger.requests["check"] / ledger.accepted,
        requests=ledger.requests["submit"] + ledger.requests["check"],
        refused_for_rate=ledger.refused["rate"],
        refused_for_places=ledger.refused["concurrency"],
        seconds=max(accepted + seconds + (lag or 0.0) for accepted, seconds, lag in ends),
    )
