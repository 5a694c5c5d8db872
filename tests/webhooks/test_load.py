"""Many deliveries a second, over real sockets; `python -m benchmarks.webhooks` holds them to a time."""

from benchmarks.webhooks import RATE, measure


def test_at_300_deliveries_a_second_none_is_lost_or_refused() -> None:
    load = measure(seconds=3, median=0.5)
    assert load.whole
    assert load.tasks == 3 * RATE
