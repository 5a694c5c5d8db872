"""What a journal forgets, and that a kill or a torn log in the middle of it harms nothing."""

# ruff: noqa: F811 - a fixture of another file

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from nanobanana_async import JournalDamagedError, Kind, Record, SqliteJournal
from nanobanana_async._forgetting import Forgetting
from nanobanana_async._journal import Past, Replay
from nanobanana_async._journal_file import JournalFile
from tests.test_sqlite_journal import path, read, write  # noqa: F401 - a fixture

LIVES = [
    (Kind.SENDING, Kind.ACCEPTED, Kind.ENDED, Kind.ACKNOWLEDGED),
    (Kind.SENDING, Kind.LOST, Kind.ACKNOWLEDGED, Kind.ACCEPTED, Kind.ENDED),
    (Kind.SENDING, Kind.ACCEPTED, Kind.ACKNOWLEDGED, Kind.ACKNOWLEDGED),
    (Kind.SENDING, Kind.ACCEPTED, Kind.ENDED),
    (Kind.SENDING, Kind.REFUSED),
    (Kind.SENDING, Kind.LOST),
]
NOW = 1e9


def replayed(records: list[Record]) -> dict[int, Past]:
    replay = Replay()
    for record in records:
        replay.apply(record)
    return replay.attempts


def forgetting(records: list[Record], before: float) -> Forgetting:
    fold = Forgetting(before)
    for record in records:
        fold.apply(record.attempt, record.kind, record.at)
    return fold


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Records of some attempts, each broken off anywhere, in any order; clocks jump."""
    lives = [
        (number, iter(life[: draw(st.integers(1, len(life)))]))
        for number, life in enumerate(draw(st.lists(st.sampled_from(LIVES), max_size=7)))
    ]
    order = draw(st.permutations([n for n, _ in lives for _ in range(5)]))
    times = st.floats(NOW - 100, NOW + 100)
    return [
        Record(number, kind, draw(times), {"key": f"row {number}"})
        for number in order
        if (kind := next(lives[number][1], None))
    ]


@given(histories(), st.floats(NOW - 100, NOW + 100))
def test_only_what_is_done_with_and_old_is_forgotten(records: list[Record], before: float) -> None:
    old = forgetting(records, before).old()
    kept = [record for record in records if record.attempt not in old]
    past = replayed(records)
    assert replayed(kept) == {number: one for number, one in past.items() if number not in old}
    done = {one for one in past if past[one].acknowledged or not past[one].may_be_paid}
    assert old <= done
    assert all(record.at < before for record in records if record.attempt in old)
    # Neither is a number given out again, nor is the journal's end elsewhere.
    assert max(replayed(kept), default=None) == max(past, default=None)
    assert kept[-1:] == records[-1:]
    # Whatever else could have been forgotten has been.
    left = done - old - {max(past, default=0)}
    assert all(
        number == records[-1].attempt or max(r.at for r in records if r.attempt == number) >= before
        for number in left
    )
    assert forgetting(kept, before).old() == set()


@pytest.mark.parametrize(("done", "owed", "forgets"), [(250, 333, True), (250, 335, False)])
def test_a_file_is_not_written_anew_for_less_than_half(done: int, owed: int, forgets: bool) -> None:
    records = [Record(n, kind, 0.0) for n in range(done) for kind in LIVES[0]]
    records += [Record(done + n, kind, 0.0) for n in range(owed) for kind in LIVES[3]]
    assert bool(forgetting(records, 1.0).worth()) is forgets
    assert not forgetting(records[4:], 1.0).worth()  # 996 records are too few


def history(attempts: int = 330, seed: int = 5) -> list[Record]:
    """A journal of a backend: most is done with, some are owed, and they overlap."""
    dice, records = Random(seed), list[tuple[float, Record]]()
    for number in range(1, attempts + 1):
        life = dice.choices(LIVES, [40, 1, 1, 1, 1, 1])[0]
        at = number * 10.0
        for kind in life:
            at += dice.random() * 40
            data = {"key": f"row {number}", "text": "käse" * dice.randrange(60)}
            records.append((at, Record(number, kind, at, data)))
    return [record for _, record in sorted(records, key=lambda pair: pair[0])]


def kept_of(records: list[Record], before: float = NOW) -> list[Record]:
    old = forgetting(records, before).worth()
    assert old
    return [record for record in records if record.attempt not in old]


async def opened(path: Path, forget_after: float | None = 3600.0) -> list[Record]:
    journal, lines = SqliteJournal(path, forget_after), list[Record]()
    try:
        await journal.open(lines.append)
    finally:
        await journal.aclose()
    return lines


async def test_it_forgets_at_opening_and_goes_on(path: Path) -> None:
    records = history()
    await write(path, records)
    whole = path.stat().st_size
    assert await opened(path, None) == records
    kept = kept_of(records)
    assert len(kept) * 4 < len(records)
    assert await opened(path) == kept
    assert path.stat().st_size * 2 < whole
    assert await opened(path) == kept
    more = [Record(331, kind, time.time()) for kind in LIVES[0]]
    await write(path, more)
    assert await opened(path) == kept + more == await read(path)


async def test_what_is_recent_is_kept(path: Path) -> None:
    now = time.time()
    records = [Record(n, kind, now - 100) for n in range(300) for kind in LIVES[0]]
    await write(path, records)
    assert await opened(path, 110) == records
    assert await opened(path, 90) == records[-4:]


async def test_after_it_the_mark_still_notices_what_is_cut_off(path: Path) -> None:
    records = history()
    await write(path, records)
    await opened(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM records WHERE number = (SELECT max(number) FROM records)")
    connection.close()
    with pytest.raises(JournalDamagedError):
        await opened(path)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE records SET at = at + 1 WHERE number = 700",
        "DELETE FROM records WHERE number > 700",
        "UPDATE records SET data = '' WHERE number = 1",
    ],
)
async def test_a_damaged_journal_is_refused_as_ever_and_left_alone(path: Path, damage: str) -> None:
    await write(path, history())
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    content = path.read_bytes()
    told: list[tuple[str, list[Record]]] = []
    for forget_after in (None, 3600.0):
        journal, lines = SqliteJournal(path, forget_after), list[Record]()
        with pytest.raises(JournalDamagedError) as raised:
            await journal.open(lines.append)
        told.append((str(raised.value), lines))
        assert path.read_bytes() == content
    assert told[0] == told[1]


async def test_a_journal_that_contradicts_itself_is_not_made_to_look_sound(path: Path) -> None:
    records = history()
    await write(path, [*records, Record(1, Kind.SENDING, 0.0), *history(1)])
    content = path.read_bytes()
    journal = SqliteJournal(path, 3600.0)
    with pytest.raises(JournalDamagedError):
        await journal.open(Replay().apply)
    assert path.read_bytes() == content


class Stepping(sqlite3.Connection):
    """Calls `step` before each statement, and every so often within one; spills its cache early."""

    step: Callable[[], None]

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "BEGIN":
            super().execute("PRAGMA cache_size=20")
            self.set_progress_handler(self.step, 1000)
        self.step()
        return super().execute(sql, *values)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        return super().executemany(sql, self._each(rows))

    def _each(self, rows: Iterator[Any]) -> Iterator[Any]:
        for number, row in enumerate(rows):
            if number % 20 == 0:
                self.step()
            yield row


def connect_as(monkeypatch: pytest.MonkeyPatch, kind: type[sqlite3.Connection]) -> None:
    real: Callable[..., sqlite3.Connection] = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", partial(real, factory=kind))


def copies_of_each_step(path: Path, to: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Forget, and copy at each step what a kill in that moment would leave."""
    copies: list[Path] = []

    def step(_: Stepping | None = None) -> None:
        folder = to / str(len(copies))
        folder.mkdir(parents=True)
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, folder)
        copies.append(folder / path.name)

    with monkeypatch.context() as patch:
        patch.setattr(Stepping, "step", step, raising=False)
        connect_as(patch, Stepping)
        file = JournalFile(path)
        file.open(lambda _: None, NOW)
        step()
        file.close()
        step()
    return copies


def torn(log: Path, dice: Random) -> None:
    """A power cut: the log ends anywhere, or what was written last is not what was meant."""
    if log.exists() and (size := log.stat().st_size):
        content = bytearray(log.read_bytes())
        at = dice.randrange(size)
        content[at:] = b"" if dice.random() < 0.5 else bytes(size - at)
        log.write_bytes(content)


@pytest.mark.parametrize("tear", [False, True])
async def test_killed_in_the_middle_it_holds_all_or_what_is_kept(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tear: bool
) -> None:
    records, dice, seen = history(), Random(7), list[bool]()
    kept = kept_of(records)
    await write(path, records)
    for copy in copies_of_each_step(path, tmp_path / "copies", monkeypatch):
        if tear:
            torn(copy.with_name("run.db-wal"), dice)
        lines: list[Record] = []
        file = JournalFile(copy)
        file.open(lines.append)
        file.close()
        assert lines in (records, kept)
        seen.append(lines == kept)
    assert len(seen) > 30
    assert seen.count(False) > 10
    assert seen.count(True) >= 3
    assert seen == sorted(seen) or tear


def failures(statement: str) -> type[sqlite3.Connection]:
    class Full(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql.startswith(statement) and self.total_changes > 0:
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    return Full


@pytest.mark.parametrize("statement", ["DROP", "ALTER", "COMMIT", "VACUUM", "PRAGMA wal_ch"])
async def test_a_full_disk_is_no_reason_not_to_open(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    statement: str,
) -> None:
    records = history()
    await write(path, records)
    with monkeypatch.context() as patch:
        connect_as(patch, failures(statement))
        lines = await opened(path)
    assert lines == (kept_of(records) if statement in ("VACUUM", "PRAGMA wal_ch") else records)
    assert "could not be made smaller: database or disk is full" in caplog.text
    assert await read(path) == lines
    assert await opened(path) == kept_of(records)


async def test_an_attempt_that_was_forgotten_can_be_acknowledged_again(path: Path) -> None:
    """By somebody who has its outcome from a client before, of the same journal."""
    records = history()
    await write(path, records)
    await opened(path)
    late = Record(1, Kind.ACKNOWLEDGED, NOW)
    assert late.attempt not in replayed(kept_of(records))
    await write(path, [late, Record(331, Kind.SENDING, time.time())])
    replay = Replay()
    journal = SqliteJournal(path, 3600.0)
    await journal.open(replay.apply)
    await journal.aclose()
    assert replay.attempts.keys() == {*replayed(kept_of(records)), 331}


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "1"])
def test_what_is_no_time_is_refused(path: Path, seconds: Any) -> None:
    with pytest.raises(ValueError, match="forget_after must be seconds above 0"):
        SqliteJournal(path, seconds)
