"""Counts, times, sizes and commands as a person would put them; pure."""

import re
import shlex
from collections.abc import Iterable
from typing import Final

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s]+(?=@)")


def counted(rows: int) -> str:
    """Put a number of rows."""
    return f"{rows:,} row" if rows == 1 else f"{rows:,} rows"


def duration(seconds: float) -> str:
    """Put seconds as a person would say them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def size(count: float) -> str:
    """Put bytes as a person would say them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - each unit's own
            return f"{count:.0f} {unit}" if unit in ("bytes", "kB") else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def command(name: str, arguments: Iterable[str]) -> str:
    """Put a command of ours as it would be typed, without the passwords in its URLs."""
    hidden = (_CREDENTIALS.sub("USER:PASSWORD", text) for text in arguments)
    return shlex.join(["nanobanana", name, *hidden])
