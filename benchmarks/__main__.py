"""Measure everything, in two processes, and hold it against what was promised.

    python -m benchmarks [--quick | --only TEXT | --write docs]

Exits with 1 where something is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import chain
from pathlib import Path

from benchmarks.figures import Figures
from benchmarks.page import page
from benchmarks.pictures import pictures
from benchmarks.plots import plots
from benchmarks.quick import QUICK, quick_verdicts
from benchmarks.runs import Run, execute
from benchmarks.suite import Results, Verdict, everything, verdicts


def measure(runs: Iterable[Run]) -> dict[Run, Figures]:
    """Execute all of them, and say how each went."""
    results, began = {}, time.monotonic()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(execute, run): run for run in runs}
        for done in as_completed(futures):
            run, one = futures[done], done.result()
            results[run] = one
            print(f"{time.monotonic() - began:5.0f} s  {run.name}: {one}", flush=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--quick", action="store_true", help="short runs only, with their own floors")
    part.add_argument("--only", help="runs whose printed name holds this text; judges nothing")
    part.add_argument("--write", type=Path, metavar="DOCS", help="write page and pictures there")
    arguments = parser.parse_args()
    if arguments.only:
        measure(run for run in everything() if arguments.only in run.name)
        return 0
    if arguments.quick:
        results = measure(QUICK)
        return report(chain.from_iterable(quick_verdicts(run, results[run]) for run in QUICK))
    results = measure(everything())
    if arguments.write:
        write(results, arguments.write)
    return report(verdicts(results))


def write(results: Results, docs: Path) -> None:
    """Write the page and its pictures."""
    plots(results, docs / "pictures")
    pictures(results, docs / "pictures")
    (docs / "benchmarks.md").write_text(page(results))


def report(judged: Iterable[Verdict]) -> int:
    """Print all, then what was missed once more; return the exit code."""
    judged = list(judged)
    print(*judged, sep="\n")
    missed = [verdict for verdict in judged if not verdict.reached]
    print(f"\n{len(missed)} of {len(judged)} missed", *missed, sep="\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
