"""What a client can be told: each option as it is used, or the reason why it makes no sense."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
from yarl import URL

from nanobanana_async._checks import has_methods
from nanobanana_async._errors import MissingKeyError
from nanobanana_async._hosts import is_loopback
from nanobanana_async._journal import Journal
from nanobanana_async._observer import Observer, Watch
from nanobanana_async._specs import MODELS
from nanobanana_async._sqlite_journal import SqliteJournal
from nanobanana_async._transport import Secret
from nanobanana_async._webhooks import Webhooks
from nanobanana_async._wire import Transport

__all__ = [
    "check_kind",
    "check_model",
    "check_session",
    "journal_from",
    "key_from",
    "transport_from",
    "watch_from",
    "webhooks_for",
]


def check_kind(name: str, value: object, kind: type) -> None:
    """Refuse what is no `kind`.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {kind.__name__}, not {value!r}")


def check_model(model: str) -> None:
    """Refuse a model of which no rules are known.

    Raises:
        ValueError: it is none.
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, not {model!r}")


def check_session(session: aiohttp.ClientSession | None) -> None:
    """Refuse what no connections can be had from.

    Raises:
        TypeError: it is no session.
        ValueError: it is closed.
    """
    if session is not None and not isinstance(session, aiohttp.ClientSession):
        raise TypeError(f"session must be an aiohttp.ClientSession, not {session!r}")
    if session is not None and session.closed:
        raise ValueError("session is closed")


def key_from(api_key: str | None) -> Secret:
    """Return the account's key, from the environment where none is given.

    Raises:
        MissingKeyError: there is none, or what there is cannot be one.
        TypeError: it is no text.
    """
    if not isinstance(api_key, str | None):
        raise TypeError(f"api_key must be a text, not {type(api_key).__name__}")
    key = os.environ.get("APIXO_API_KEY", "") if api_key is None else api_key
    if not key:
        raise MissingKeyError("No API key: pass api_key= or set APIXO_API_KEY")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise MissingKeyError("The API key holds characters that no key has, a line end perhaps")
    return Secret(key)


def journal_from(journal: Journal | str | os.PathLike[str] | None) -> Journal | None:
    """Return the journal, of a path the one in that file.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(journal, str | os.PathLike):
        return SqliteJournal(Path(journal))
    if journal is None or has_methods(journal, "open", "write", "note", "aclose"):
        return journal
    raise TypeError(f"journal must be a path or a Journal, not {journal!r}")


def transport_from(transport: Transport | None) -> Transport | None:
    """Return the transport.

    Raises:
        TypeError: it is none.
    """
    if transport is None or has_methods(transport, "send", "aclose"):
        return transport
    raise TypeError(f"transport must carry requests, as a Transport does, not {transport!r}")


def webhooks_for(root: URL, webhooks: Webhooks | None) -> Webhooks | None:
    """Return the webhooks, for the API below `root`.

    Raises:
        TypeError: they are none.
        ValueError: the API would not deliver there.
    """
    if not isinstance(webhooks, Webhooks | None):
        raise TypeError(f"webhooks must be Webhooks, not {type(webhooks).__name__}")
    plain = webhooks is not None and webhooks.public_url.lower().startswith("http:")
    if plain and not is_loopback(str(root.host)):
        raise ValueError(
            "public_url must be https: the API asks for it, and tokens could be read on the way. "
            "http is for an API on this machine, such as the emulator"
        )
    return webhooks


def watch_from(telemetry: Observer | None) -> Watch | None:
    """Return what watches the client.

    Raises:
        TypeError: it cannot watch.
    """
    if telemetry is None:
        return None
    if not has_methods(telemetry, "opened", "caller", "began", "downloading"):
        raise TypeError(f"telemetry must be Telemetry(), not {telemetry!r}")
    return Watch(telemetry)
