"""Thousands of Nano Banana 2 generations at once: at the limit, never refused, never paid twice.

    async with NanoBananaClient() as client:
        result = await client.generate("a lighthouse in a storm")
        await client.download(result, "lighthouse.png")

`NanoBananaClient` is where everything begins, and `NanoBananaError` the root of all errors. Beside it:

- `nanobanana_async.bulk`: every row of a file once, paid once;
- `nanobanana_async.webhooks`: the API tells how tasks end;
- `nanobanana_async.telemetry`: OpenTelemetry's spans and metrics;
- `nanobanana_async.emulator`: the API on this machine, with faults on demand.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nanobanana_async._version import __version__ as __version__

if TYPE_CHECKING:
    from nanobanana_async._public import *  # noqa: F403 - its `__all__` is ours

# Whoever needs no client does not pay for one: `nanobanana --help`, and each test run of a project
# that has the pytest plugin installed. Therefore public names are imported when one is first used.


def __getattr__(name: str) -> Any:
    # Other underscored names are submodules, or asked for by whoever inspects modules.
    if not name.startswith("_") or name == "__all__":
        public = import_module("nanobanana_async._public")
        globals().update({known: getattr(public, known) for known in ("__all__", *public.__all__)})
        if name in globals():
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(import_module("nanobanana_async._public").__all__)
