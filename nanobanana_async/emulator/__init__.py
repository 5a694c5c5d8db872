"""A local stand-in for the image API: same endpoints, same limits, and faults on demand.

    async with Emulator(speed=10, faults={"submit_lost": 0.01}) as emulator:
        ...  # requests to emulator.url, with the key sk-emulator
    emulator.ledger()

`EmulatorCore` is the same server without a socket or a clock; `MemoryTransport` carries requests to
it, and `MemoryCourier` its callbacks back. But for the plug of its in-memory front, the package
shares no code with the client, so the two cannot share a mistake.
"""

from nanobanana_async.emulator._core import EmulatorCore
from nanobanana_async.emulator._episodes import Episode
from nanobanana_async.emulator._http import Emulator
from nanobanana_async.emulator._ledger import Ledger
from nanobanana_async.emulator._limits import LimitChange
from nanobanana_async.emulator._memory import MemoryTransport, Stalls
from nanobanana_async.emulator._memory_courier import MemoryCourier
from nanobanana_async.emulator._service import (
    ByResolution,
    FailFast,
    Failure,
    LogNormal,
    Mixture,
    Service,
    ServiceModel,
    Stuck,
)
from nanobanana_async.emulator._settings import Settings
from nanobanana_async.emulator._virtual_loop import StalledError, VirtualTimeLoop, run_virtual
from nanobanana_async.emulator._wire import Answer, Cut, Picture, Request, Reset, Silence

__all__ = [
    "Answer",
    "ByResolution",
    "Cut",
    "Emulator",
    "EmulatorCore",
    "Episode",
    "FailFast",
    "Failure",
    "Ledger",
    "LimitChange",
    "LogNormal",
    "MemoryCourier",
    "MemoryTransport",
    "Mixture",
    "Picture",
    "Request",
    "Reset",
    "Service",
    "ServiceModel",
    "Settings",
    "Silence",
    "StalledError",
    "Stalls",
    "Stuck",
    "VirtualTimeLoop",
    "run_virtual",
]
