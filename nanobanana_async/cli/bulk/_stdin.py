"""Standard input that Ctrl-C gets a reader out of, who waits for rows that nobody types."""

import os
import select
import sys
from typing import Final, Self

from nanobanana_async.bulk import InputError
from nanobanana_async.cli._output import complain

_AT_ONCE: Final = 1 << 16


class StandardInput:
    """Is read in a thread, and told from another to stop."""

    def __init__(self, descriptor: int) -> None:
        """Read from this file descriptor."""
        self._descriptor = descriptor
        self._told, self._tell = os.pipe()
        self._greeted = False

    @classmethod
    def of_process(cls) -> Self | None:
        """Return that of this process; None where it has none to select on."""
        try:
            return cls(sys.stdin.fileno())
        except (AttributeError, OSError):  # closed by whoever started us, or replaced
            return None

    def isatty(self) -> bool:
        """Tell whether somebody types."""
        return os.isatty(self._descriptor)

    def read(self, _: int = -1) -> bytes:
        """Return what there is, and wait where there is nothing yet; empty at the end.

        Raises:
            InputError: it was told to stop.
        """
        if self.isatty() and not self._greeted:
            self._greeted = True
            complain("Reading rows from the terminal; Ctrl-D on a new line ends them.")
        if sys.platform != "win32":  # select takes nothing but sockets there
            ready = select.select([self._descriptor, self._told], [], [])[0]
            if self._told in ready:
                raise InputError("Standard input was left before its end")
        return os.read(self._descriptor, _AT_ONCE)

    def stop(self) -> None:
        """End a read that waits, and all to come."""
        os.write(self._tell, b"x")

    def close(self) -> None:
        """Give back what it took; standard input itself stays open."""
        os.close(self._told)
        os.close(self._tell)
