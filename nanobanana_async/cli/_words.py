"""Counts, times and sizes as a person would say them; pure."""


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
