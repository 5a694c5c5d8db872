"""The exit codes of all commands; a signal's is 128 and its number."""

from typing import Final

DONE: Final = 0
MISSING: Final = 1
"""Something that was asked for has no picture."""
AT_FAULT: Final = 2
"""Options, a request, the key or a folder; nothing was sent."""
STOPPED: Final = 3
"""By the key, the account, the API or the host."""
RUNNING: Final = 4
"""The time was over; tasks run on, and nothing is lost."""
DEFECT: Final = 70
"""Of this program."""
SIGNALLED: Final = 128
