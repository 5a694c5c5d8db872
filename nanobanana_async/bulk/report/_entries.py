"""Rows as the page's script gets them, each with the thumbnails that it has."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import asdict, define

from nanobanana_async.bulk.report._inside import Inside, address
from nanobanana_async.bulk.report._row import Picture, Row
from nanobanana_async.bulk.report._thumbnails import FOLDER, Thumbnails

Entry = dict[str, Any]

# So many rows wait for their thumbnails: enough to keep the threads busy, and few in memory.
_AHEAD: Final = 64

_MISSING: Final = "picture missing"
_BROKEN: Final = "picture cannot be read"


@define
class Entries:
    """Turns rows into entries, in their order, while thumbnails are made a few rows ahead."""

    _inside: Inside
    _thumbnails: Thumbnails

    def of(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Entry]]:
        """Yield each row with its entry."""
        waiting: deque[tuple[Row, list[str | None]]] = deque()
        for row in rows:
            waiting.append((row, [self._ask(picture) for picture in row.pictures]))
            if len(waiting) > _AHEAD:
                yield self._finish(*waiting.popleft())
        while waiting:
            yield self._finish(*waiting.popleft())

    def _ask(self, picture: Picture) -> str | None:
        """Return the thumbnail's name; None where the picture's file is not in the folder."""
        if picture.file is None or not self._inside.holds(picture.file):
            return None
        return self._thumbnails.ask(picture.file, picture)

    def _finish(self, row: Row, names: list[str | None]) -> tuple[Row, Entry]:
        pairs = zip(row.pictures, names, strict=True)
        pictures = [self._picture(picture, name) for picture, name in pairs]
        return row, _entry(row, pictures)

    def _picture(self, picture: Picture, name: str | None) -> Entry:
        entry: Entry = {
            "file": picture.file,
            "bytes": picture.size,
            "width": picture.width,
            "height": picture.height,
            "sha256": picture.sha256,
        }
        if name is None or picture.file is None:
            entry["fault"] = _MISSING
        else:
            entry["address"] = address(picture.file)
            if self._thumbnails.ready(name):
                entry["thumbnail"] = f"./{FOLDER}/{name}"
            else:
                entry["fault"] = _BROKEN
        return _without_none(entry)


def _entry(row: Row, pictures: list[Entry]) -> Entry:
    faults = [picture["fault"] for picture in pictures if "fault" in picture]
    entry: Entry = {
        "key": row.key,
        "row": row.number,
        "state": row.state,
        "prompt": row.prompt,
        "resolution": row.resolution,
        "parameters": row.parameters or None,
        "task": row.task_id,
        "attempt": row.attempt,
        "sent": row.sent_at,
        "created": row.created_at,
        "completed": row.completed_at,
        "recorded": row.recorded_at,
        "service": row.service_time,
        "error": _without_none(asdict(row.failure)) if row.failure else None,
        "pictures": pictures or None,
        # Where the picture is not here, its address is what helps.
        "urls": None if pictures and not faults else row.urls or None,
        "reason": row.reason or (faults[0] if faults else None),
    }
    return _without_none(entry)


def _without_none(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if value is not None}
