"""What is counted, and how it is put: no loop, no clock, no terminal."""

from io import StringIO

import pytest
from attrs import evolve
from rich.console import Console

from nanobanana_async import Limits, Statistics
from nanobanana_async.cli._demo_display import line
from nanobanana_async.cli._demo_picture import picture
from nanobanana_async.cli._live import LiveDisplay
from nanobanana_async.cli._progress import Progress, Snapshot
from nanobanana_async.cli._rate import RateMeter
from nanobanana_async.cli._report import clean, demo_report, emulator_report
from nanobanana_async.cli._tally import Tally
from nanobanana_async.emulator import EmulatorCore, Ledger, Settings

SNAPSHOT = Snapshot(
    seconds=65.0,
    total=2_000,
    submitted=1_500,
    in_flight=990,
    downloaded=498,
    failed=2,
    refusals=1,
    requests_per_second=165.6,
    requests_limit=166.7,
    tasks_limit=1_000,
)
STATISTICS = Statistics(
    queued=0,
    queued_bulk=0,
    submitting=1,
    in_flight=3,
    slots_left=996,
    slots_unknown=0,
    slots_in_force=1_000,
    tokens_left=9_985,
    rate_in_force=10_000,
    submits=6,
    checks=8,
    other_requests=1,
    refusals=2,
    accepted=5,
    succeeded=2,
    failed=0,
    unknown=0,
    found=0,
    paid_twice=0,
    deliveries=0,
    deliveries_refused=0,
    checks_per_task=1.0,
    mean_lag=0.1,
    mean_service_time=15.0,
    completions_per_second=1.0,
)


def ledger() -> Ledger:
    return EmulatorCore(Settings(), epoch=0.0).ledger(0.0)


def test_the_rate_is_the_mean_of_the_last_seconds() -> None:
    meter = RateMeter(span=2.0)
    readings = [(0.0, 0), (1.0, 10), (2.0, 40), (3.0, 40), (4.0, 40), (5.0, 40)]
    assert [meter.update(*reading) for reading in readings] == [0, 10, 20, 15, 0, 0]


def test_the_rate_while_time_stands_still() -> None:
    meter = RateMeter()
    assert [meter.update(1.0, 5), meter.update(1.0, 9)] == [0, 0]


def test_only_the_first_reasons_are_remembered() -> None:
    tally = Tally(100)
    for number in range(50):
        tally.fail(str(number), ValueError("no"))
    assert tally.failed == 50
    assert tally.reasons == ["0: no", "1: no", "2: no", "3: no", "4: no"]


def test_a_snapshot_joins_tally_and_statistics() -> None:
    progress = Progress(Tally(10, generated=2, downloaded=1, failed=1), Limits(600, 7), began=5.0)
    progress.snapshot(6.0, evolve(STATISTICS, submits=0, checks=0, other_requests=0))
    snapshot = progress.snapshot(7.5, STATISTICS)
    assert snapshot == Snapshot(
        seconds=2.5,
        total=10,
        submitted=5,
        in_flight=3,
        downloaded=1,
        failed=1,
        refusals=2,
        requests_per_second=10.0,
        requests_limit=10.0,
        tasks_limit=7,
    )
    assert snapshot.done == 2


def test_the_plain_line() -> None:
    assert line(SNAPSHOT) == (
        "  65 s: 500/2,000 done, 1,500 submitted, 990 in flight, 498 downloaded, "
        "166 requests/s (limit 167), 1 refused, 2 failed"
    )
    assert line(evolve(SNAPSHOT, failed=0)).endswith("1 refused")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_live_display_draws_over_itself(width: int) -> None:
    file = StringIO()
    with LiveDisplay(picture, Console(file=file, force_terminal=True, width=width)) as display:
        display.show(evolve(SNAPSHOT, downloaded=0))
        display.show(SNAPSHOT)
    seen = file.getvalue()
    assert "\x1b[1A\x1b[2K" in seen
    for text in ("500", "1:05", "1,500", "990", "498", "166"):
        assert text in seen


def test_the_live_display_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = StringIO()
    with LiveDisplay(picture, Console(file=file, force_terminal=True, width=80)) as display:
        display.show(SNAPSHOT)
    assert "\x1b[31m" not in file.getvalue()
    assert "\x1b[32m" not in file.getvalue()


def test_the_report_of_a_demo() -> None:
    seen = evolve(
        ledger(),
        requests={"submit": 100, "check": 140, "balance": 0, "download": 100},
        fullest_window=240,
        most_tasks=90,
        checks_per_task=1.4,
        mean_lag=0.255,
        longest_lag=1.5,
    )
    report = demo_report(seen, Tally(100, downloaded=100), Limits(), 4.0)
    assert report.splitlines() == [
        "What the emulator saw:",
        "  pictures            100 of 100 in 4.0 s, 25.0 a second",
        "  requests            60 a second, limit 167",
        "  fullest minute      240 requests, limit 10,000",
        "  most tasks at once  90, limit 1,000",
        "  checks a task       1.4",
        "  detection lag       0.26 s on average, 1.50 s at most",
        "  refusals            0",
        "  submitted twice     0 prompts",
    ]


def test_the_report_names_what_is_missing() -> None:
    tally = Tally(3, downloaded=1, failed=2, reasons=["1: no", "2: neither"])
    assert demo_report(ledger(), tally, Limits(), 1.0).endswith("\nMissing: 2\n1: no\n2: neither")


def test_the_report_of_an_emulator() -> None:
    seen = evolve(
        ledger(), requests={"submit": 2, "check": 1_000}, refused={"rate": 3}, faults={"x": 4}
    )
    report = emulator_report(seen, {"requests_per_minute": 50, "concurrent_tasks": 7})
    assert "  requests            2 submit, 1,000 check\n" in report
    assert "  most tasks at once  0, limit 7\n" in report
    assert "  refusals            3 rate\n" in report
    assert report.endswith("  faults              4 x")


@pytest.mark.parametrize(
    ("seen", "downloaded", "expected"),
    [
        (ledger(), 5, True),
        (evolve(ledger(), refused={"rate": 1}), 5, False),
        (evolve(ledger(), accepted_twice={"a cat": 2}), 5, False),
        (ledger(), 4, False),
    ],
    ids=["clean", "refused", "submitted twice", "missing"],
)
def test_what_counts_as_clean(seen: Ledger, downloaded: int, expected: bool) -> None:
    assert clean(seen, Tally(5, downloaded=downloaded)) is expected
