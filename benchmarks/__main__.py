"""Measure everything, in two processes, and hold it against what was promised.

    python -m benchmarks [--only TEXT] [--write docs]

Exits with 1 where something is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from benchmarks.figures import Figures
from benchmarks.page import page
from benchmarks.pictures import pictures
from benchmarks.plots import plots
from benchmarks.runs import Run, execute
from benchmarks.suite import everything, verdicts


def measure(runs: Iterable[Run]) -> dict[Run, Figures]:
    """Execute all of them, and say how each went."""
    results, began = {}, time.monotonic()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(execute, run): run for run in runs}
        for done in as_completed(futures):
            run, one = futures[done], done.result()
            results[run] = one
            print(
                f"{time.monotonic() - began:5.0f} s  {_named(run)}: {one.share:.3f} of the oracle, "
                f"lag {one.lag:.2f} s, {one.checks:.2f} checks a task, "
                f"{one.refused_for_rate + one.refused_for_places} refused",
                flush=True,
            )
    return results


def _named(run: Run) -> str:
    conditions = {
        f"seed {run.seed}": True,
        f"{run.tasks} tasks": run.tasks is not None,
        f"{run.in_flight} in flight": run.in_flight is not None,
        f"{run.round_trip} s away": run.round_trip > 0,
        f"freed {run.freed_late} s late": run.freed_late > 0,
        "refused not counted": not run.count_refused,
        "sockets": run.sockets,
    }
    return ", ".join(
        [run.scenario, run.contender, *(name for name, has in conditions.items() if has)]
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", help="runs whose printed name holds this text; judges nothing")
    parser.add_argument("--write", type=Path, metavar="DOCS", help="write page and pictures there")
    arguments = parser.parse_args()
    if arguments.only:
        measure(run for run in everything() if arguments.only in _named(run))
        return 0
    results = measure(everything())
    judged = list(verdicts(results))
    print(*judged, sep="\n")
    if arguments.write:
        plots(results, arguments.write / "pictures")
        pictures(results, arguments.write / "pictures")
        (arguments.write / "benchmarks.md").write_text(page(results))
    return not all(verdict.reached for verdict in judged)


if __name__ == "__main__":
    sys.exit(main())
