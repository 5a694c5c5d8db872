"""What the library warns of, said above the figures."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nanobanana_async.cli._display import Display


class Said(logging.Handler):
    """Takes the library's warnings while a command runs."""

    def __init__(self, display: Display[Any], *, of_tasks: bool = True) -> None:
        """Say them on this display, those about single tasks only where somebody waits for these."""
        super().__init__(logging.WARNING)
        self._display = display
        self._of_tasks = of_tasks
        self.left = False
        """True once nobody waits for anything any more: then nothing that happens is news."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, but for the tasks that run on: the command names them itself."""
        left_out = hasattr(record, "task_ids") or (
            hasattr(record, "task_id") and not self._of_tasks and record.levelno < logging.ERROR
        )
        if not (self.left or left_out):
            self._display.say(record.getMessage())


@contextmanager
def said_by(display: Display[Any], *, of_tasks: bool = True) -> Iterator[Said]:
    """Have the library's warnings said for as long as `with` lasts."""
    said, logger = Said(display, of_tasks=of_tasks), logging.getLogger("nanobanana_async")
    before, logger.propagate = logger.propagate, False
    logger.addHandler(said)
    try:
        yield said
    finally:
        if not said.left:  # else what is still being closed would speak up
            logger.removeHandler(said)
            logger.propagate = before
