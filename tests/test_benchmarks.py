"""The benchmarks themselves: their figures, their oracle, and short runs with floors of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st

from benchmarks import __main__ as command
from benchmarks.contenders import BY_HAND, CLIENTS, PACED, TABLE, WAITS, ByHand, Job
from benchmarks.figures import Figures, of_ledger, throughput
from benchmarks.oracle import bound, oracle
from benchmarks.quick import QUICK, quick_verdicts
from benchmarks.runs import Run, execute
from benchmarks.scenarios import SCENARIOS, Scenario, Slowing
from benchmarks.suite import NOT_COUNTED, SOCKETS, everything, verdicts
from nanobanana_async.emulator import EmulatorCore, LogNormal, MemoryTransport, Settings
from tests.emulated import EPOCH
from tests.emulator.driver import EXACTLY_10_S, Account

STEADY = [scenario for scenario in SCENARIOS.values() if scenario.mean is not None]


# Short runs


# The first two, and the last; `python -m benchmarks --quick` has them all.
@pytest.mark.parametrize("run", [*QUICK][:2] + [*QUICK][-1:], ids=lambda run: run.name)
def test_a_short_run_reaches_its_floors(run: Run) -> None:
    one = execute(run)
    missed = [str(verdict) for verdict in quick_verdicts(run, one) if not verdict.reached]
    assert not missed
    assert one.share < 1


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    run = Run(tasks=300)
    assert execute(run) == execute(run) != execute(evolve(run, seed=2))


def test_sockets_and_memory_agree() -> None:
    sockets, memory = (execute(Run(tasks=500, sockets=sockets)) for sockets in (True, False))
    assert sockets.throughput == pytest.approx(memory.throughput, rel=0.01)
    assert sockets.lag == pytest.approx(memory.lag, rel=0.05)


# Figures


def test_throughput_leaves_the_start_out() -> None:
    """Half of six: three more were accepted in the four seconds after the third."""
    assert throughput([0, 1, 2, 3, 4, 6], 0.5) == 3 / 4


def test_figures_of_a_run_that_was_worked_out_by_hand() -> None:
    account = Account(service=EXACTLY_10_S, requests_per_minute=8)
    ids = [account.accepted(at) for at in (0, 1, 2, 4)]
    for at, number in [(9, 0), (11, 0), (14, 1), (14, 2)]:
        account.status(at, ids[number])
    account.check(15, ids[3])  # the ninth in the minute: refused
    account.status(80, ids[3])
    one = of_ledger(account.core.ledger(80), 0.5)
    assert one.throughput == (4 - 2) / (4 - 1)
    assert (one.requests, one.checks) == (10, 6 / 4)
    assert (one.refused_for_rate, one.refused_for_places) == (1, 0)
    assert one.lag == (1 + 3 + 2 + 66) / 4
    assert one.seconds == 80
    settled = of_ledger(account.core.ledger(80), 0.5, settled_lag=True)
    assert settled.lag == (2 + 66) / 2


# The oracle


def test_the_oracle_waits_for_a_slot_and_for_two_requests_a_task() -> None:
    """Four requests a second, so one task each half second; the third waits for a slot."""
    assert oracle([10, 4, 1, 1], slots=2, pace=4) == [0, 0.5, 4.5, 5.5]


@settings(derandomize=True, deadline=None)
@given(
    times=st.lists(st.floats(0.01, 50), min_size=1, max_size=60),
    slots=st.integers(1, 8),
    pace=st.floats(0.5, 20),
)
def test_the_oracle_keeps_to_the_limits(times: list[float], slots: int, pace: float) -> None:
    at = oracle(times, slots, pace)
    assert all(later - earlier >= 2 / pace * 0.999999 for earlier, later in pairwise(at))
    ends = [start + seconds for start, seconds in zip(at, times, strict=True)]
    for number, now in enumerate(at):
        assert sum(end > now for end in ends[:number]) < slots


@pytest.mark.parametrize("scenario", STEADY, ids=lambda scenario: scenario.name)
def test_the_oracle_comes_close_to_what_nobody_can_beat(scenario: Scenario) -> None:
    """Tasks that are stuck for ten minutes take a longer run to settle."""
    assert scenario.mean is not None
    n = 200_000 if scenario.settled_lag else scenario.tasks
    rng, model = Random(1), scenario.service(n)
    sizes = scenario.resolutions
    times = [model.draw(rng, sizes[number % len(sizes)]).seconds for number in range(n)]
    assert throughput(oracle(times), scenario.warm_up) >= 0.985 * bound(scenario.mean)


# Scenarios and contenders


def test_service_times_change_in_the_middle_of_the_run() -> None:
    model = Slowing(6, LogNormal(15, 0), LogNormal(30, 0))
    drawn = [model.draw(Random(1), "1K").seconds for _ in range(6)]
    assert drawn == [15, 15, 15, 30, 30, 30]


def test_the_waits_between_looks_are_those_that_people_write() -> None:
    first = {name: list(islice(waits(), 8)) for name, waits in WAITS.items()}
    assert first == {
        TABLE: [5, 3, 3, 3, 3, 3, 3, 3],
        "3 s, growing to 30 s": [3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30],
        "every second": [1] * 8,
        "every 5 s": [5] * 8,
    }


@pytest.mark.virtual_time
async def test_a_loop_by_hand_makes_all_pictures_in_spite_of_refusals() -> None:
    """Refused requests are not counted here: at so low a limit these retries would fill each minute."""
    limits: dict[str, Any] = {"requests_per_minute": 40, "concurrent_tasks": 5}
    core = EmulatorCore(Settings(service=EXACTLY_10_S, count_refused=False, **limits), epoch=EPOCH)
    loop = BY_HAND[f"{TABLE}, AsyncLimiter(10000, 60)"]
    assert isinstance(loop, ByHand)
    await loop.work(MemoryTransport(core), Job(20, ("1K",), None))
    ledger = core.ledger(asyncio.get_running_loop().time())
    assert ledger.finished_seen == ledger.accepted == 20
    assert ledger.refused["rate"] > 0
    assert ledger.refused["concurrency"] > 0


# The whole command, on figures that are made up


def made_up(run: Run) -> Figures:
    """Whatever is asked, this client reaches; a loop by hand has three fifths of its throughput."""
    return Figures(
        throughput=50.0 if run.contender in CLIENTS else 30.0,
        oracle=50.0,
        lag=0.5,
        p99_lag=1.0,
        checks=1.5,
        requests=1_000,
        refused_for_rate=0 if run.contender in CLIENTS else 10_003,
        refused_for_places=0,
        seconds=400.0,
    )


def called(monkeypatch: pytest.MonkeyPatch, spoilt: dict[Run, Figures], *arguments: str) -> int:
    """Run the command, every run replaced by made-up figures; return its exit code."""

    def measure(runs: Iterable[Run]) -> dict[Run, Figures]:
        return {run: spoilt.get(run, made_up(run)) for run in runs}

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    return command.main()


def test_each_service_time_runs_with_each_client_and_three_seeds() -> None:
    runs = everything()
    assert len(runs) == len(set(runs))
    standard = {
        Run(scenario=scenario, contender=contender, seed=seed)
        for scenario in SCENARIOS
        for contender in CLIENTS
        for seed in (1, 2, 3)
    }
    by_hand = {Run(contender=name, tasks=10_000) for name in BY_HAND}
    assert {*standard, *by_hand, NOT_COUNTED, SOCKETS} <= set(runs)


def test_it_succeeds_where_everything_is_reached(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, {}) == 0
    assert called(monkeypatch, {}, "--quick") == 0
    assert "MISSED" not in capsys.readouterr().out


def changes() -> dict[str, tuple[Run, dict[str, Any]]]:
    """What spoils each kind of promise, by the words with which it is reported."""
    typical, hopeful = Run(), Run(contender="learned, optimistic")
    return {
        "LN(15, 0.6), share of the oracle": (typical, {"oracle": 130.0}),
        "LN(15, 0.6), mean lag, s": (typical, {"lag": 10.0}),
        "LN(15, 0.6), p99 of the lag, s": (typical, {"p99_lag": 25.0}),
        "LN(15, 0.6), checks a task": (typical, {"checks": 6.0}),
        "LN(8, 0.6), throughput at .3 s": (
            Run(scenario="LN(8, 0.6)", round_trip=0.3),
            {"throughput": 48.9},
        ),
        "refused for the rate": (evolve(typical, seed=2), {"refused_for_rate": 1}),
        "refused for places, not optimistic": (typical, {"refused_for_places": 1}),
        "optimistic, share:": (hopeful, {"throughput": 44.0}),
        "optimistic, share refused": (hopeful, {"refused_for_places": 16}),
        "5 s late, optimistic to not": (evolve(hopeful, freed_late=5.0), {"throughput": 48.0}),
        "5 s late, share refused": (evolve(hopeful, freed_late=5.0), {"refused_for_places": 11}),
        "table, paced": (Run(contender=f"{TABLE}, {PACED}", tasks=10_000), {"throughput": 46.0}),
        "refused requests not counted": (NOT_COUNTED, {"throughput": 42.0}),
        "documented, counted": (evolve(NOT_COUNTED, count_refused=True), {"throughput": 35.0}),
        "10 in flight, mean lag": (Run(tasks=3_000, in_flight=10), {"lag": 0.91}),
        "100 in flight, checks": (Run(tasks=3_000, in_flight=100), {"checks": 10.6}),
        "sockets and memory": (SOCKETS, {"throughput": 50.6}),
    }


@pytest.mark.parametrize("what", changes())
def test_each_promise_that_is_missed_is_named_and_fails_the_command(
    what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, values = changes()[what]
    spoilt = {run: evolve(made_up(run), **values)}
    assert called(monkeypatch, spoilt) == 1
    summary = capsys.readouterr().out.rpartition(" missed\n")[2]
    assert any(what in line and line.endswith("MISSED") for line in summary.splitlines())


def test_a_short_run_that_misses_its_floor_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = next(iter(QUICK))
    spoilt = {run: evolve(made_up(run), lag=9.0, refused_for_rate=1)}
    assert called(monkeypatch, spoilt, "--quick") == 1
    summary = capsys.readouterr().out.rpartition(" missed\n")[2].splitlines()
    assert [line.partition(": ")[2] for line in summary] == [
        "mean lag, s: 9 (at most 3.3) MISSED",
        "refused for the rate: 1 (at most 0) MISSED",
    ]


def test_a_part_runs_alone_and_is_not_judged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, {SOCKETS: evolve(made_up(SOCKETS), lag=99.0)}, "--only", "sock") == 0
    assert not capsys.readouterr().out


def test_page_and_pictures_are_the_same_bytes_for_the_same_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = []
    for name in ("once", "again"):
        docs = tmp_path / name
        assert called(monkeypatch, {}, "--write", str(docs)) == 0
        files = [path for path in docs.rglob("*") if path.is_file()]
        written.append({path.relative_to(docs): path.read_bytes() for path in files})
    once, again = written
    assert once == again
    page = once.pop(Path("benchmarks.md")).decode()
    assert {f"pictures/{path.name}" for path in once} >= set(_pictures(page))
    assert all(
        str(verdict.what) in page for verdict in verdicts({r: made_up(r) for r in everything()})
    )


def _pictures(page: str) -> list[str]:
    return [part.partition(")")[0] for part in page.split("](")[1:] if part.startswith("pictures/")]
