"""An emulator for tests, in a thread of its own.

    with EmulatorThread(speed=100) as emulator:
        ...  # requests to emulator.url, with the key emulator.api_key
    emulator.ledger()

The pytest plugin's fixture `nanobanana_emulator` is one of these. Needs no pytest itself, so it
serves `unittest` and fixtures of a wider scope as well.
"""

from nanobanana_async.testing._emulator_thread import EmulatorThread

__all__ = ["EmulatorThread"]
