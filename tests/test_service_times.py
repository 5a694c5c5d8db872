"""What is learned of service times: for the hold of unknown submits, and for the next run."""

import copy
import json
import pickle
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from nanobanana_async import Polling, ServiceTimes, ServiceTimesError
from nanobanana_async._life_table import BINS
from nanobanana_async._service_times import ClassTimes, LearnedTimes

CLASS = ("nano-banana-2", "text-to-image", "1K", "auto")
LARGE = ("nano-banana-2", "text-to-image", "4K", "auto")

names = st.none() | st.text(max_size=5)
numbers = st.lists(st.floats(0, 1e9), min_size=BINS, max_size=BINS)
tables = st.dictionaries(
    st.tuples(st.text(max_size=5), names, names, names),
    st.builds(ClassTimes, numbers, numbers),
    max_size=3,
)


def seen(subject: LearnedTimes, seconds: list[float]) -> None:
    for time in seconds:
        subject.table(CLASS).ended(0.0, time)


class TestTheHoldOfUnknownSubmits:
    def test_nothing_is_said_before_two_hundred_were_seen(self) -> None:
        subject = LearnedTimes()
        seen(subject, [10.0] * 199)
        assert subject.slow(CLASS) is None
        seen(subject, [10.0] * 30)  # the first ones count a little less by now
        assert subject.slow(CLASS) == pytest.approx(10, rel=0.15)

    def test_it_is_what_ninety_nine_of_a_hundred_take(self) -> None:
        subject, rng = LearnedTimes(), Random(1)
        seen(subject, [40.0 * rng.lognormvariate(0.0, 0.2) for _ in range(500)])
        assert subject.slow(CLASS) == pytest.approx(64, rel=0.1)

    def test_another_class_is_another_matter(self) -> None:
        subject = LearnedTimes()
        seen(subject, [10.0] * 500)
        assert subject.slow(LARGE) is None


def test_classes_are_not_collected_without_end() -> None:
    subject = LearnedTimes()
    tables = [subject.table((str(number), None, None, None)) for number in range(1_000)]
    assert len({id(table) for table in tables}) == 101
    assert not subject.export().classes  # nothing was seen of any
    for table in tables:
        table.ended(0.0, 10.0)
    assert len(subject.export().classes) == 100


def test_all_classes_beyond_a_hundred_share_a_table() -> None:
    subject = LearnedTimes()
    for number in range(100):
        subject.table((str(number), None, None, None))
    other, another = ("other", None, None, None), ("another", None, None, None)
    assert subject.table(other) is subject.table(another)
    assert subject.table(other) is not subject.table(("0", None, None, None))
    assert subject.slow(another) is None
    for _ in range(300):
        subject.table(other).ended(0.0, 10.0)
    assert subject.slow(another) == pytest.approx(10, rel=0.15)
    assert subject.slow(("0", None, None, None)) is None


def test_of_more_than_a_hundred_classes_the_first_hundred_are_known_again() -> None:
    known = ClassTimes([0.0] * BINS, [1.0] * BINS)
    value = ServiceTimes({(str(number), None, None, None): known for number in range(150)})
    subject = LearnedTimes()
    subject.start_from(value)
    assert list(subject.export().classes) == list(value.classes)[:100]
    assert subject.table(("120", None, None, None)) is subject.table(("149", None, None, None))


def test_a_later_client_starts_from_what_was_learned() -> None:
    first, second, rng = LearnedTimes(), LearnedTimes(), Random(1)
    seen(first, [15.0 * rng.lognormvariate(0.0, 0.6) for _ in range(2_000)])
    second.start_from(ServiceTimes.from_json(first.export().to_json()))
    for age in (1.0, 10.0, 30.0, 100.0):
        known, told = first.table(CLASS), second.table(CLASS)
        # The first has not looked at its last few observations yet.
        assert told.hazard(age) == pytest.approx(known.hazard(age), rel=0.1)
    assert second.slow(CLASS) == pytest.approx(first.slow(CLASS), rel=0.01)


def test_the_one_handed_in_is_not_changed() -> None:
    first, second = LearnedTimes(), LearnedTimes()
    seen(first, [15.0] * 100)
    value = first.export()
    before = value.to_json()
    second.start_from(value)
    seen(second, [99.0] * 1_000)
    assert value.to_json() == before


class TestAsJSON:
    @settings(deadline=None, derandomize=True, max_examples=50)
    @given(tables)
    def test_what_was_written_is_read(self, classes: dict[Any, ClassTimes]) -> None:
        value = ServiceTimes(classes)
        assert ServiceTimes.from_json(value.to_json()) == value
        assert ServiceTimes.from_json(value.to_json().encode()) == value

    def test_it_is_small(self) -> None:
        subject = LearnedTimes()
        seen(subject, [float(number) for number in range(1_000)])
        assert len(subject.export().to_json()) < 3_000

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "null",
            "7",
            '{"classes": []}',
            b"\xff\xfe",
            pytest.param("[" * 200_000, id="too deep"),
        ],
    )
    def test_something_else_is_refused(self, text: str | bytes) -> None:
        with pytest.raises(ServiceTimesError, match="no table of service times"):
            ServiceTimes.from_json(text)

    @pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.0])
    def test_another_version_is_refused_and_named(self, version: object) -> None:
        text = json.dumps({"version": version, "tables": []})
        with pytest.raises(ServiceTimesError, match=f"version {version!r}, not 1.*Start without"):
            ServiceTimes.from_json(text)

    @pytest.mark.parametrize(
        "change",
        [
            {"ends": [1.0] * (BINS - 1)},
            {"ends": [-1.0] * BINS},
            {"exposure": [float("nan")] * BINS},
            {"exposure": [float("inf")] * BINS},
            {"exposure": [1e308] * BINS},
            {"exposure": [10**400] * BINS},
            {"exposure": [None] * BINS},
            {"exposure": [0.0] * BINS + [0.0]},
            {"exposure": {}},
            {"exposure": ["1"] * BINS},
            {"ends": [True] * BINS},
            {"ends": 7},
            {"ends": None},
            {"model": 7},
            {"model": None},
            {"mode": 7},
            {"resolution": True},
            {"provider": ["auto"]},
        ],
    )
    def test_a_damaged_one_is_refused(self, change: dict[str, Any]) -> None:
        subject = LearnedTimes()
        seen(subject, [15.0] * 10)
        data = json.loads(subject.export().to_json())
        data["classes"][0] |= change
        with pytest.raises(ServiceTimesError, match="damaged"):
            ServiceTimes.from_json(json.dumps(data))

    @pytest.mark.parametrize("name", ["model", "provider", "ends", "exposure"])
    def test_a_class_that_lacks_something_is_refused_and_told_what(self, name: str) -> None:
        subject = LearnedTimes()
        seen(subject, [15.0])
        data = json.loads(subject.export().to_json())
        del data["classes"][0][name]
        with pytest.raises(ServiceTimesError, match=rf"damaged: a class lacks {name}\."):
            ServiceTimes.from_json(json.dumps(data))

    @pytest.mark.parametrize("classes", [7, None, "", {}, [7], [{}], ["x"]])
    def test_and_so_is_one_without_classes(self, classes: object) -> None:
        with pytest.raises(ServiceTimesError, match="damaged"):
            ServiceTimes.from_json(json.dumps({"version": 1, "classes": classes}))


class TestMadeByHand:
    @pytest.mark.parametrize("classes", [7, "", [], [CLASS]])
    def test_classes_are_a_dict(self, classes: Any) -> None:
        with pytest.raises(TypeError, match="classes"):
            ServiceTimes(classes)

    @pytest.mark.parametrize("name", ["ends", "exposure"])
    @pytest.mark.parametrize("value", [[0.0], [-1.0] * BINS, [float("nan")] * BINS, ["1"] * BINS])
    def test_a_class_holds_a_number_a_bin(self, name: str, value: list[Any]) -> None:
        values: dict[str, Any] = {"ends": [0.0] * BINS, "exposure": [0.0] * BINS, name: value}
        with pytest.raises(ValueError, match=f"{name} must hold"):
            ClassTimes(**values)


class TestPolling:
    def test_the_default_is_learned(self) -> None:
        assert Polling() == Polling(strategy="learned", price=0.1, service_times=None)

    @pytest.mark.parametrize("price", [0, -1.0, float("nan"), float("inf"), "1", None, True])
    def test_a_price_is_seconds_above_0(self, price: Any) -> None:
        with pytest.raises(ValueError, match="price must be seconds above 0"):
            Polling(price=price)

    @pytest.mark.parametrize("price", [86_400.5, 10**400])
    def test_nor_is_it_more_than_a_day(self, price: Any) -> None:
        assert Polling(price=86_400).price == 86_400
        with pytest.raises(ValueError, match="a day at most"):
            Polling(price=price)

    @pytest.mark.parametrize("strategy", ["random", "Learned", "", None, 7, ["learned"], {}])
    def test_the_strategies_are_two(self, strategy: Any) -> None:
        assert Polling(strategy="stalest").strategy == "stalest"
        with pytest.raises(ValueError, match="strategy must be 'learned' or 'stalest', not "):
            Polling(strategy=strategy)

    def test_a_table_is_one_that_was_read(self) -> None:
        with pytest.raises(TypeError, match="service_times"):
            Polling(service_times="{}")  # type: ignore[arg-type]


def test_a_table_can_be_copied_and_sent_to_another_process() -> None:
    subject = LearnedTimes()
    seen(subject, [15.0] * 10)
    value = subject.export()
    assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own


@pytest.mark.parametrize("classes", [7, {"x": 1}, {CLASS: 1}, {("m", None): {}}, {(1, 2, 3, 4): 5}])
def test_one_made_by_hand_of_something_else_is_refused(classes: Any) -> None:
    with pytest.raises(TypeError):
        ServiceTimes(classes)
