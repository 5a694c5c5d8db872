"""Folders as a bulk run leaves them, for the tests of the report."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

Line = dict[str, Any]
Draw = Callable[[int, str], bytes]

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MEDIANS = {"1K": 11.0, "2K": 16.0, "4K": 29.0}

# What goes wrong in a run of some size, and by which code.
FAILURES = [
    ("failed", "TaskFailedError", "CONTENT_VIOLATION", "content", "The prompt was refused."),
    ("failed", "TaskFailedError", "CONTENT_VIOLATION", "content", "The prompt was refused."),
    ("failed", "TaskFailedError", "GENERATION_TIMEOUT", "processing", "It took too long."),
    ("unknown", "SubmitUnknownError", None, None, "The connection broke before the answer."),
    ("download_failed", "DownloadError", None, None, "The picture's host answered 503 four times."),
]


def dot(number: int, _prompt: str) -> bytes:
    """A picture of a few bytes, another one for each number below 16 million."""
    file = BytesIO()
    colour = number % 256, number // 256 % 256, number // 65_536 % 256
    Image.new("RGB", (8, 6), colour).save(file, "PNG")
    return file.getvalue()


def succeeded(number: int, prompt: str = "a cat", **changes: Any) -> Line:
    """A row that went well; its picture is not there yet."""
    return {
        "key": str(number),
        "row": number,
        "state": "succeeded",
        "task_id": f"task_{number:06d}",
        "attempt": 1,
        "request": {"prompt": prompt, "resolution": "1K", "aspect_ratio": "1:1"},
        "urls": [f"https://example.com/{number}.png"],
        "pictures": [],
        "sent_at": BEGAN.isoformat(),
        "created_at": BEGAN.isoformat(),
        "completed_at": (BEGAN + timedelta(seconds=12)).isoformat(),
        "service_time": 12.0,
        "recorded_at": (BEGAN + timedelta(seconds=13)).isoformat(),
        "error": None,
        **changes,
    }


def failed(number: int, prompt: str = "a dog", *, kind: int = 0, **changes: Any) -> Line:
    """A row that did not."""
    state, error, code, group, message = FAILURES[kind % len(FAILURES)]
    line = succeeded(number, prompt, **changes)
    return line | {
        "state": state,
        "service_time": None,
        "error": {"type": error, "message": message, "code": code, "group": group},
    }


def with_picture(line: Line, folder: Path, data: bytes) -> Line:
    """Put the picture into the folder and the line."""
    (folder / "images").mkdir(exist_ok=True)
    file = f"images/{line['key']}.png"
    (folder / file).write_bytes(data)
    with Image.open(BytesIO(data)) as image:
        width, height = image.size
    picture = {
        "url": line["urls"][0],
        "file": file,
        "bytes": len(data),
        "sha256": sha256(data).hexdigest(),
        "width": width,
        "height": height,
    }
    return line | {"pictures": [picture]}


def write_lines(folder: Path, lines: Iterable[Line], name: str = "results.jsonl") -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_run(folder: Path, prompts: list[str], *, bad: set[int], draw: Draw = dot) -> None:
    """A whole run over the prompts; the rows of `bad` went wrong, one way after the other."""
    rng = Random(7)
    lines: list[Line] = []
    for number, prompt in enumerate(prompts, 1):
        resolution = rng.choices(list(MEDIANS), (5, 3, 1))[0]
        service = rng.lognormvariate(0, 0.4) * MEDIANS[resolution]
        sent = BEGAN + timedelta(seconds=number / 20 + 2 * rng.random())
        ended = sent + timedelta(seconds=service)
        changes = {
            "request": {"prompt": prompt, "resolution": resolution, "aspect_ratio": "3:2"},
            "sent_at": sent.isoformat(),
            "created_at": sent.isoformat(),
            "completed_at": ended.isoformat(),
            "recorded_at": (ended + timedelta(seconds=1)).isoformat(),
            "service_time": round(service, 2),
        }
        if number in bad:
            lines.append(failed(number, prompt, kind=len(lines), **changes))
        else:
            line = succeeded(number, prompt, **changes)
            lines.append(with_picture(line, folder, draw(number, prompt)))
    # In the order in which they ended, as a run records them.
    write_lines(folder, sorted(lines, key=lambda line: str(line["completed_at"])))
    settings = {"input": "prompts.csv", "rows": len(prompts)}
    limits = {"requests_per_minute": 3_000, "concurrent_tasks": 400}
    (folder / "run.json").write_text(json.dumps(settings | limits))
