"""The emulator where no event loop is at hand, or where the one that is must not serve it."""

import os
from contextlib import ExitStack
from types import TracebackType
from typing import Self, Unpack

from anyio.from_thread import start_blocking_portal

from nanobanana_async.emulator import Emulator, Ledger, Settings
from nanobanana_async.emulator._settings import SettingsKeywords


class EmulatorThread:
    """The API on a free local port, served by a thread of its own while `with` lasts; entered once.

    A test that blocks its own event loop therefore does not stop the emulator. All of it may be
    used from any thread; from a process that was forked off, `url` and `api_key`.
    """

    def __init__(self, **settings: Unpack[SettingsKeywords]) -> None:
        """Take the fields of `nanobanana_async.emulator.Settings` as keywords.

        Raises ValueError for a setting that cannot be.
        """
        self.api_key: str = Settings(**settings).api_key
        """The only key that is let in."""
        self._emulator = Emulator(**settings)
        self._exit = ExitStack()
        self._was_entered = False  # also where it failed
        self._process: int | None = None  # the one that serves, or has served
        self._serves = False

    def __enter__(self) -> Self:
        """Begin to serve; afterwards `url` is known.

        Raises RuntimeError where it was entered before.
        """
        if self._was_entered:
            raise RuntimeError("an EmulatorThread is entered once: make another")
        self._was_entered = True
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal(name="nanobanana-emulator"))
            stack.enter_context(portal.wrap_async_context_manager(self._emulator))
            self._portal = portal
            self._exit = stack.pop_all()
        self._process, self._serves = os.getpid(), True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop serving and end the thread.

        Raises RuntimeError where something in the emulator broke meanwhile, such as a `service` of
        your own; not where the block raises anyway.
        """
        if self._process != os.getpid():
            return  # the thread is that of the process this one was forked off
        self._serves = False
        self._exit.__exit__(kind, error, traceback)

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:40123`. Raises RuntimeError before `with`."""
        self._check_entered()
        return self._emulator.url

    def ledger(self) -> Ledger:
        """Take a snapshot of what was seen so far; also after the end.

        Raises RuntimeError before `with`, and in a process that was forked off.
        """
        self._check_entered()
        if not self._serves:
            return self._emulator.ledger()
        if self._process != os.getpid():
            raise RuntimeError(
                "the ledger is kept by the process that made the emulator: ask there"
            )
        # Taken by the serving thread, between two requests: its figures belong together.
        return self._portal.call(self._emulator.ledger)

    def _check_entered(self) -> None:
        if self._process is None:
            raise RuntimeError("not entered: with EmulatorThread() as emulator")

    def __repr__(self) -> str:
        where = "not entered" if self._process is None else self._emulator.url
        return f"<EmulatorThread {where}>"
