"""The emulator where no event loop is at hand, or where the one that is must not serve it."""

from contextlib import ExitStack
from typing import Self, Unpack

from anyio.from_thread import start_blocking_portal

from nanobanana_async.emulator import Emulator, Ledger, Settings
from nanobanana_async.emulator._settings import SettingsKeywords


class EmulatorThread:
    """The API on a free local port, served by a thread of its own while `with` lasts; entered once.

    A test that blocks its own event loop therefore does not stop the emulator. All of it may be
    used from any thread.
    """

    def __init__(self, **settings: Unpack[SettingsKeywords]) -> None:
        """Take the fields of `nanobanana_async.emulator.Settings` as keywords.

        Raises ValueError for a setting that cannot be.
        """
        self.api_key: str = Settings(**settings).api_key
        """The only key that is let in."""
        self._emulator = Emulator(**settings)
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        """Begin to serve; afterwards `url` is known."""
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal(name="nanobanana-emulator"))
            stack.enter_context(portal.wrap_async_context_manager(self._emulator))
            self._portal = portal
            self._exit = stack.pop_all()
        self._serves = True
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and end the thread."""
        self._serves = False
        self._exit.close()

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:40123`."""
        return self._emulator.url

    def ledger(self) -> Ledger:
        """Take a snapshot of what was seen so far; also after the end."""
        # Taken by the serving thread, between two requests: its figures belong together.
        return self._portal.call(self._emulator.ledger) if self._serves else self._emulator.ledger()

    def __repr__(self) -> str:
        return f"<EmulatorThread {self.url}>"
