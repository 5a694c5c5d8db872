"""A thousand storms, each with another seed: `make soak`, or `python -m tests.soak --seeds 20`."""

import argparse
import logging
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product

from nanobanana_async.emulator import run_virtual
from tests.storm import WAYS, storm


def run(way: str, seed: int, count: int) -> tuple[float, Counter[str]]:
    """Run one storm and hold it against what is promised; its virtual time and its ends."""
    logging.disable()  # tens of thousands of warnings
    random.seed(seed)
    weather = run_virtual(storm(way, seed, count))
    weather.check()
    # The time of 10,000 requests without faults is 310 s (test_storms).
    assert weather.seconds <= 3 * 310 * max(count / 10_000, 1), f"{weather.seconds:.0f} s"
    return weather.seconds, Counter(type(end).__name__ for end in weather.told.values())


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command's output


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=1000)
    options.add_argument("--first", type=int, default=1, help="the first seed")
    options.add_argument("--count", type=int, default=10_000, help="requests in each storm")
    options.add_argument("--processes", type=int, default=2)
    chosen = options.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    began, failed, slowest = time.monotonic(), 0, 0.0
    with ProcessPoolExecutor(chosen.processes) as pool:
        runs = {
            pool.submit(run, way, seed, chosen.count): (seed, way)
            for seed, way in product(seeds, WAYS)
        }
        for done, finished in enumerate(as_completed(runs), 1):
            seed, way = runs[finished]
            name = f"{done}/{len(runs)} seed {seed} {way}"
            if error := finished.exception():
                failed += 1
                say(f"{name}: FAILED: {error}")
                continue
            seconds, ends = finished.result()
            slowest = max(slowest, seconds)
            told = ", ".join(f"{number} {end}" for end, number in ends.most_common())
            say(f"{name}: {seconds:.0f} s of virtual time, {told}")
    minutes = (time.monotonic() - began) / 60
    say(f"{len(runs)} storms in {minutes:.0f} min: {failed} failed, slowest {slowest:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
