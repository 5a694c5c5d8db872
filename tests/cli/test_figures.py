"""What is counted, and how it is put: no loop, no clock, no terminal."""

from io import StringIO
from pathlib import Path

import pytest
from attrs import evolve
from rich.console import Console
from rich.text import Text

from nanobanana_async import Limits, Statistics
from nanobanana_async.cli._live import LiveDisplay
from nanobanana_async.cli._rate import RateMeter
from nanobanana_async.cli._report import emulator_report
from nanobanana_async.cli.demo._display import line
from nanobanana_async.cli.demo._ends import Ends
from nanobanana_async.cli.demo._progress import Progress, Snapshot
from nanobanana_async.cli.demo._slots import SlotMap, Stage
from nanobanana_async.cli.demo._summary import clean, demo_report, what_is_missing
from nanobanana_async.cli.demo._tally import Tally
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
    checks_per_task=1.25,
    mean_lag=0.4,
    longest_lag=2.5,
    requests=tuple((0.1 * tenth, 16 * tenth) for tenth in range(651)),
    slots=bytes([Stage.SUBMITTED] * 700 + [Stage.READY] * 100 + [Stage.FOUND] * 50 + [0] * 150),
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


def test_what_was_written_in_the_last_moment_counts(tmp_path: Path) -> None:
    there = tmp_path / "there.png"
    there.touch()
    assert Tally(9, downloaded=3, cut_off=[there, tmp_path / "missing.png"]).there() == 4


def test_a_snapshot_joins_tally_statistics_and_slots() -> None:
    tally = Tally(10, generated=2, downloaded=1, failed=1)
    slots = SlotMap(7, lambda: 0.0)
    slots.longest_lag = 2.5
    progress = Progress(tally, Limits(600, 7), slots, Ends(ledger, 0.0), began=5.0)
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
        checks_per_task=1.0,
        mean_lag=0.1,
        longest_lag=2.5,
        requests=((6.0, 0), (7.5, 15)),
        slots=bytes(7),
    )
    assert snapshot.done == 2


def test_the_plain_line() -> None:
    assert line(SNAPSHOT) == (
        "  65 s: 500/2,000 done, 1,500 submitted, 990 in flight, 498 downloaded, "
        "166 requests/s (limit 167), 1 refused, 2 failed"
    )
    assert line(evolve(SNAPSHOT, failed=0)).endswith("1 refused")


def test_the_live_display_draws_over_itself() -> None:
    file = StringIO()
    console = Console(file=file, force_terminal=True, width=80)
    with LiveDisplay[str](Text, console) as display:
        display.show("one\ntwo")
        display.show("three\nfour")
    seen = file.getvalue()
    assert "\x1b[1A\x1b[2K" in seen
    assert "four" in seen


def test_the_report_of_a_demo() -> None:
    seen = evolve(
        ledger(),
        requests={"submit": 100, "check": 140, "balance": 0, "download": 100},
        fullest_window=9_999,
        most_tasks=1_000,
        checks_per_task=1.4,
        mean_lag=0.255,
        longest_lag=1.5,
    )
    report = demo_report(
        seen, Tally(100, downloaded=100), Limits(), 4.0, folder=Path("pics"), sheet="pics/sheet.png"
    )
    assert report.splitlines() == [
        "pictures       100 of 100 in 4.0 s, 25.0 a second, in pics",
        "requests       60 a second, limit 167; 9,999 in the fullest minute, limit 10,000",
        "tasks          1,000 at once, limit 1,000; 1.4 checks each; 0 submitted twice",
        "refused        0; ends seen 0.26 s late on average, 1.50 s at most",
        "contact sheet  pics/sheet.png",
    ]
    assert max(map(len, report.splitlines())) <= 80


def test_what_is_missing_is_named() -> None:
    tally = Tally(3, downloaded=1, failed=2, reasons=["1: no", "2: neither"])
    assert what_is_missing(tally) == "Missing: 2\n1: no\n2: neither"


def test_at_most_a_thousand_files_are_remembered() -> None:
    tally = Tally(2_500)
    for index in range(2_500):
        tally.keep(index, Path(str(index)))
    assert tally.downloaded == 2_500
    assert tally.files == [Path(str(index)) for index in range(0, 2_500, 3)]


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
