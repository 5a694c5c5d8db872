"""How long generations take, by class: learned while a client works, and kept for its next run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self, TypeAlias

from attrs import Attribute, define, field, frozen

from nanobanana_async._errors import ServiceTimesError
from nanobanana_async._life_table import BINS, LifeTable

__all__ = ["ClassTimes", "LearnedTimes", "ServiceClass", "ServiceTimes"]

ServiceClass: TypeAlias = tuple[str, str | None, str | None, str | None]
"""Model, mode, resolution and provider; None where it is not known."""

VERSION: Final = 1
"""Of the format; the bins of age belong to it."""
_ENOUGH: Final = 200
_CLASSES: Final = 100
_SLOW: Final = 0.99
_MOST: Final = 1e15  # no count and no seconds are that many, and sums of more may be infinite
_NAMES: Final = ("model", "mode", "resolution", "provider")


def _a_number_a_bin(_: Any, attribute: Attribute[Any], value: tuple[float, ...]) -> None:
    if len(value) != BINS:
        raise ValueError(f"{attribute.name} must hold {BINS} numbers, not {len(value)}")
    for number in value:
        if type(number) not in (int, float) or not 0 <= number <= _MOST:
            raise ValueError(
                f"{attribute.name} must hold numbers of 0 to {_MOST:.0e}, not {number!r:.20}"
            )


def _numbers(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(values)


@frozen
class ClassTimes:
    """The life table of one class of tasks. `ValueError` for what cannot be one.

    By bin of age: the first reaches to 0.25 s, each that follows 1.15 times as far.
    """

    ends: tuple[float, ...] = field(converter=_numbers, validator=_a_number_a_bin)
    """Tasks that ended, by bin of age; the longer ago, the less one counts."""
    exposure: tuple[float, ...] = field(converter=_numbers, validator=_a_number_a_bin)
    """Seconds for which tasks were watched, by bin of age; likewise."""


def _tables_by_class(_: Any, __: Attribute[Any], value: Any) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"classes must be a dict, not {type(value).__name__}")
    for of, times in value.items():
        _class(of)
        if not isinstance(times, ClassTimes):
            raise TypeError(f"the table of {of} must be ClassTimes, not {type(times).__name__}")


@frozen
class ServiceTimes:
    """What a client has learned about how long tasks take, so that the next one starts warm.

    Take it from `NanoBananaClient.service_times`, hand it back with ``Polling(service_times=…)``.
    `TypeError` for what is no such table.
    """

    classes: Mapping[ServiceClass, ClassTimes] = field(
        factory=dict, repr=False, validator=_tables_by_class
    )
    """By model, mode, resolution and provider."""

    def to_json(self) -> str:
        """Return it as a JSON text of a few kilobytes."""
        rows = [
            dict(zip(_NAMES, of, strict=True)) | {"ends": times.ends, "exposure": times.exposure}
            for of, times in self.classes.items()
        ]
        return json.dumps({"version": VERSION, "classes": rows}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` returned.

        Raises:
            ServiceTimesError: it is of another version, damaged, or something else.
        """
        try:
            data = json.loads(text)
            version = data["version"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ServiceTimesError("This is no table of service times") from error
        if type(version) is not int or version != VERSION:
            raise ServiceTimesError(f"The table is of version {version!r}, not {VERSION}")
        try:
            return cls(_read(data["classes"]))
        except KeyError as error:
            raise ServiceTimesError(f"The table is damaged: it lacks {error}") from error
        except (ValueError, TypeError) as error:
            raise ServiceTimesError(f"The table is damaged: {error}") from error


def _read(rows: Any) -> dict[ServiceClass, ClassTimes]:
    if not isinstance(rows, list):
        raise TypeError(f"its classes are {type(rows).__name__}")
    return dict(_read_class(row) for row in rows)


def _read_class(row: Mapping[str, Any]) -> tuple[ServiceClass, ClassTimes]:
    missing = [name for name in (*_NAMES, "ends", "exposure") if name not in row]
    if missing:
        raise ValueError(f"a class lacks {', '.join(missing)}")
    model, mode, resolution, provider = (row[name] for name in _NAMES)
    return _class((model, mode, resolution, provider)), ClassTimes(row["ends"], row["exposure"])


def _class(names: Any) -> ServiceClass:
    match names:
        case (str(), str() | None, str() | None, str() | None) if isinstance(names, tuple):
            return names
    raise TypeError(f"a class is named {names!r}")


@define(eq=False, repr=False)
class LearnedTimes:
    """The life tables of a client, one a class; one more for all classes beyond a hundred."""

    _tables: dict[ServiceClass, LifeTable] = field(factory=dict, init=False)
    _others: LifeTable = field(factory=LifeTable, init=False)

    def start_from(self, times: ServiceTimes) -> None:
        """Begin with what an earlier client has learned."""
        for of, known in list(times.classes.items())[:_CLASSES]:
            self._tables[of] = LifeTable(list(known.ends), list(known.exposure))

    def table(self, of: ServiceClass) -> LifeTable:
        """Return the table of a class, a new one where it is the first of it."""
        table = self._tables.get(of)
        if table is None:
            if len(self._tables) >= _CLASSES:
                return self._others
            table = self._tables[of] = LifeTable()
        return table

    def slow(self, of: ServiceClass) -> float | None:
        """Return the time that 99 of 100 take at most, in seconds; None before 200 were seen."""
        table = self._tables.get(of, self._others)
        return table.quantile(_SLOW) if table.ended_count >= _ENOUGH else None

    def export(self) -> ServiceTimes:
        """Return what was learned so far."""
        tables = {of: table.export() for of, table in self._tables.items() if not table.is_blank}
        classes = {of: ClassTimes(ends, exposure) for of, (ends, exposure) in tables.items()}
        return ServiceTimes(classes)
