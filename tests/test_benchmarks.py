"""The benchmarks themselves: their measure, their oracle, and a quick form of their floors."""

from random import Random
from statistics import fmean

import pytest
from attrs import evolve

from benchmarks.contenders import BY_HAND, LEARNED, OPTIMISTIC, PACED, STALEST, TABLE
from benchmarks.figures import Figures, of_ledger, throughput
from benchmarks.oracle import bound, oracle
from benchmarks.page import page
from benchmarks.runs import Run, execute
from benchmarks.scenarios import HALVES, SCENARIOS, TYPICAL
from benchmarks.suite import Verdict, everything, verdicts
from nanobanana_async.emulator import EmulatorCore, Service, Settings

QUICK = 4_000


# The measure


def test_throughput_is_counted_without_the_start() -> None:
    accepted_at = [0.0, 0.0, *(float(second) for second in range(1, 19))]
    assert throughput(accepted_at, 0.15) == pytest.approx(17 / (18 - 1))


def test_an_oracle_has_its_slots_free_at_the_end_and_pays_two_requests_a_task() -> None:
    assert oracle([5.0, 5.0, 5.0], slots=2, pace=4.0) == [0.0, 0.5, 5.0]
    assert oracle([0.1, 0.1, 0.1], slots=2, pace=4.0) == [0.0, 0.5, 1.0]
    assert oracle([9.0, 1.0, 1.0, 1.0], slots=2, pace=1e9)[2:] == [
        pytest.approx(1.0),
        pytest.approx(2.0),
    ]


@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if one.mean is not None])
def test_the_oracle_comes_close_to_what_nobody_can_beat(name: str) -> None:
    """Where service times do not change: min(C / E[S], R / 120), within 1.5 %.

    E[S] is the mean of those drawn: of 600 s in 2 % of tasks, seeds have more or less.
    """
    scenario = SCENARIOS[name]
    model, sizes = scenario.service(scenario.tasks), scenario.resolutions
    ratios = []
    for seed in (1, 2, 3):
        rng = Random(seed)
        times = [
            model.draw(rng, sizes[number % len(sizes)]).seconds for number in range(scenario.tasks)
        ]
        ratios.append(throughput(oracle(times), scenario.warm_up) / bound(fmean(times)))
    assert 0.985 <= fmean(ratios) <= 1.03


def test_a_median_that_doubles_does_so_in_the_middle() -> None:
    model, rng = SCENARIOS["median doubles from 15 s"].service(2_000), Random(1)
    times = [model.draw(rng, "1K").seconds for _ in range(2_000)]
    early, late = sorted(times[:1_000]), sorted(times[1_000:])
    assert late[500] / early[500] == pytest.approx(2, rel=0.1)


# The floors


def test_runs_are_repeatable_and_have_their_own_floors_when_short() -> None:
    """At 4,000 tasks the oracle has its start in it, so shares are lower than in the long runs."""
    assert execute(Run(tasks=500)) == execute(Run(tasks=500))
    learned = execute(Run(tasks=QUICK))
    stalest = execute(Run(tasks=QUICK, contender=STALEST))
    hopeful = execute(Run(tasks=QUICK, contender=OPTIMISTIC))
    by_hand = execute(Run(tasks=QUICK, contender=f"{TABLE}, {PACED}"))
    assert learned.refused_for_rate == stalest.refused_for_rate == hopeful.refused_for_rate == 0
    assert learned.refused_for_places == stalest.refused_for_places == 0
    assert hopeful.refused_for_places <= 0.005 * hopeful.requests
    assert learned.share >= 0.80
    assert learned.lag <= 3.4
    assert learned.checks <= 3.5
    assert learned.throughput >= 1.01 * stalest.throughput
    assert hopeful.throughput >= 1.10 * learned.throughput
    assert learned.throughput >= 1.08 * by_hand.throughput


def test_learning_pays_most_where_the_size_tells() -> None:
    runs = [Run(scenario=HALVES, tasks=QUICK, contender=who) for who in (LEARNED, STALEST)]
    learned, stalest = map(execute, runs)
    assert learned.throughput >= 1.03 * stalest.throughput
    assert learned.lag <= 2.4
    assert learned.lag < 0.7 * stalest.lag


@pytest.mark.parametrize("in_flight", [10, 100])
def test_few_tasks_are_looked_at_politely_and_seen_soon(in_flight: int) -> None:
    figures = execute(Run(tasks=600, in_flight=in_flight))
    assert figures.lag <= 0.95
    assert figures.checks <= 10.5


# The report


@pytest.fixture(scope="module")
def results() -> dict[Run, Figures]:
    """Figures for every run that keep every floor; nothing was measured."""
    good = Figures(
        throughput=99.0,
        oracle=99.0,
        lag=0.5,
        p99_lag=1.0,
        checks=1.0,
        requests=1_000,
        refused_for_rate=0,
        refused_for_places=0,
        seconds=100.0,
    )
    slow = evolve(good, throughput=9.0)
    return {run: slow if run.contender in BY_HAND else good for run in everything()}


def test_each_floor_can_be_missed_and_is_named(results: dict[Run, Figures]) -> None:
    assert all(verdict.reached for verdict in verdicts(results))
    bad = {
        run: evolve(
            one,
            throughput=1.0
            + 0.1 * (run.sockets or run.contender in BY_HAND)
            - 0.5 * bool(run.round_trip),
            lag=9.0,
            p99_lag=99.0,
            checks=99.0,
            refused_for_rate=1,
            refused_for_places=100,
        )
        for run, one in results.items()
    }
    bad[Run(contender=OPTIMISTIC, freed_late=5.0)] = evolve(
        bad[Run(contender=OPTIMISTIC, freed_late=5.0)], throughput=0.5
    )
    judged = list(verdicts(bad))
    assert not any(verdict.reached for verdict in judged)
    assert all("MISSED" in str(verdict) for verdict in judged)
    assert len(judged) == len({verdict.what for verdict in judged})
    assert page(bad).count("**no**") == len(judged)


def test_a_verdict_says_what_is_asked_for() -> None:
    assert str(Verdict("lag", 1.0, 2.0)) == "lag: 1.000 (at most 2)"
    assert str(Verdict("share", 0.5, 0.9, at_most=False)) == "share: 0.500 (at least 0.9) MISSED"


def test_figures_come_from_the_servers_ledger() -> None:
    class Tens:
        def draw(self, rng: Random, resolution: str) -> Service:
            del rng, resolution
            return Service(10.0)

    ledger = EmulatorCore(Settings(service=Tens()), epoch=0).ledger(0)
    ledger = evolve(
        ledger,
        accepted=4,
        accepted_at=(0.0, 1.0, 2.0, 3.0),
        service_times=(10.0,) * 4,
        lags=(1.0, 2.0, 3.0, 4.0),
        requests={"submit": 4, "check": 10, "balance": 0, "download": 0},
        refused={"rate": 2, "concurrency": 1, "fault": 0},
    )
    figures = of_ledger(ledger, 0.25)
    assert figures.throughput == pytest.approx(3 / 3)
    assert (figures.lag, figures.p99_lag, figures.checks) == (2.5, 4.0, 2.5)
    assert (figures.refused_for_rate, figures.refused_for_places, figures.requests) == (2, 1, 14)
    assert figures.seconds == 17.0
    assert of_ledger(ledger, 0.5, settled_lag=True).lag == 3.5
    assert TYPICAL in SCENARIOS
