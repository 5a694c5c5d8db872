import ast
from array import array
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nanobanana_async.bulk import report
from nanobanana_async.bulk.report._failures_plot import failures_plot
from nanobanana_async.bulk.report._pauses import shortened
from nanobanana_async.bulk.report._run import Run
from nanobanana_async.bulk.report._service_plot import service_plot
from nanobanana_async.bulk.report._svg import duration, number, ticks, time_ticks
from nanobanana_async.bulk.report._throughput import throughput


def bars(drawing: str) -> list[ET.Element]:
    return ET.fromstring(drawing).findall(".//rect")  # noqa: S314 - our own


def words(drawing: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(drawing).findall(".//text")]  # noqa: S314


@pytest.mark.parametrize(
    ("run", "mean", "limit"),
    [
        (Run(requests_per_minute=6_000, concurrent_tasks=1_000), 10.0, 50.0),
        (Run(requests_per_minute=60_000, concurrent_tasks=1_000), 10.0, 100.0),
        (Run(requests_per_minute=6_000), None, 50.0),
        (Run(concurrent_tasks=1_000), None, None),
        (Run(concurrent_tasks=1_000), 20.0, 50.0),
        (Run(requests_per_minute=0, concurrent_tasks=0), 0.0, None),
    ],
)
def test_the_limit_is_the_lower_one_of_those_known(
    run: Run, mean: float | None, limit: float | None
) -> None:
    assert run.limit(mean) == limit


def test_throughput_shows_each_task_and_the_limit() -> None:
    drawing = throughput([1_000 + i / 10 for i in range(601)], 12.0)
    heights = [float(each.attrib["height"]) for each in bars(drawing)]
    assert max(heights) - min(heights) < 0.2 * max(heights)
    assert "limit 12" in words(drawing)
    assert "10 on average over 1 min" in drawing


def test_a_limit_far_away_is_only_told() -> None:
    drawing = throughput([0.0, 10.0, 20.0], 500.0)
    assert not [word for word in words(drawing) if word.startswith("limit")]
    assert "The limits allow 500." in drawing


@pytest.mark.parametrize("moments", [[5.0], [5.0] * 3, [1e9, 1e9 + 0.2]])
def test_throughput_of_a_moment(moments: list[float]) -> None:
    assert len(bars(throughput(moments, None))) == 1


def test_a_night_between_two_halves_is_cut_out() -> None:
    evening = [float(i) for i in range(300)]
    morning = [50_000.0 + i for i in range(300)]
    axis = shortened(reversed(evening + morning))
    (pause,) = axis.pauses
    assert (pause.at, pause.length) == (299, 49_701)
    assert axis.span == 598
    assert "pause 13.8 h" in words(throughput(evening + morning, None))


def test_a_slow_run_has_no_pauses() -> None:
    assert not shortened([i * 1_800.0 for i in range(20)]).pauses


def test_each_resolution_has_its_histogram() -> None:
    times = {"2K": array("d", range(10, 30)), "1K": array("d", [8.0] * 50)}
    found = words(service_plot(times))
    assert "1K  (50)" in found
    assert "2K  (20)" in found
    assert "median 20 s, 95 % within 29 s" in found


def test_one_task_that_took_an_hour_does_not_flatten_the_others() -> None:
    drawing = service_plot({"1K": [*(10 + i % 10 for i in range(999)), 3_600.0]})
    lefts = sorted(float(each.attrib["x"]) for each in bars(drawing))
    assert lefts[-2] > 200


def test_failures_are_sorted_cut_and_text() -> None:
    reasons = Counter({"<b>&": 9, "A" * 100: 5, **{f"CODE_{n}": 1 for n in range(20)}})
    found = words(failures_plot(reasons))
    assert found[:2] == ["<b>&", "9"]
    assert found[2] == "A" * 43 + "…"
    assert found[-2:] == ["10 others", "10"]


def test_nothing_gives_no_drawing() -> None:
    assert throughput([], 5.0) + service_plot({}) + failures_plot(Counter()) == ""


def test_figures_are_written_as_people_do() -> None:
    assert [number(each) for each in (0, 0.0123, 1.94, 10.0, 83.33, 1234.5)] == [
        *("0", "0.0123", "1.94", "10", "83.3", "1,234"),
    ]
    assert [duration(each) for each in (0.5, 60, 119, 120, 3_600, 200_000)] == [
        *("0.5 s", "1 min", "119 s", "2 min", "1 h", "2.3 d"),
    ]


@pytest.mark.parametrize("top", [0.003, 1.0, 7.3, 59, 601, 40_000, 3e6])
def test_ticks_are_few_and_within(top: float) -> None:
    for found in (ticks(top, 4), time_ticks(top, 4)):
        assert 2 <= len(found) <= 9
        assert found[0] == 0
        assert found[-1] <= top


def test_it_imports_nothing_of_the_rest_and_pillow_in_one_module() -> None:
    own = "nanobanana_async.bulk.report"
    for file in Path(report.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            name = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            assert not name.startswith("nanobanana_async") or name.startswith(own), file
            assert name != "PIL" or file.stem == "_shrink"
