"""What the API's answers say of the account, and of this machine's clock. Pure.

Nothing that the API writes is shown: an answer to a wrong key may quote it.
"""

import json
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

from nanobanana_async.cli.doctor._asking import Asked, Reply
from nanobanana_async.cli.doctor._finding import Finding, failed, ok, skipped, span, warning
from nanobanana_async.cli.doctor._settings import VENDOR

_GOOD: Final = 200
_REDIRECTED: Final = 300
_MOST_MONEY: Final = 1e12  # beyond it, and NaN, is none
_NO_API: Final = 0
"""In place of a code: there is no envelope."""
_TOO_FAR: Final = 5.0
"""Seconds between two clocks from which on it shows."""
_HALF_A_SECOND: Final = 0.5
"""A date has whole seconds: on average it is so much more."""

_OF_THE_KEY: Final = (401, 403)
_WRONG_ADDRESS: Final = f"Is the address right? The vendor's is {VENDOR}"
_REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    401: (
        "the key is not accepted (401)",
        "Is APIXO_API_KEY a key of this account, whole, and not revoked?",
    ),
    402: ("the account has nothing left to pay with (402)", "Top it up"),
    403: (
        "the key may not do this (403)",
        "Look at the key's permissions, or make a new one",
    ),
    404: ("there is no such API (404)", _WRONG_ADDRESS),
    407: (
        "the proxy wants a user name and a password (407)",
        "Put them into its URL: http://user:password@proxy.example:3128",
    ),
}


def clock(asked: Asked) -> Finding:
    """Compare this machine's clock with the server's."""
    if not asked.replies:
        return skipped("clock", f"not compared: {asked.trouble or 'nothing was asked'}")
    ahead = _ahead(asked.replies[0])
    if ahead is None:
        return skipped("clock", "not compared: the server sends no date")
    facts = {"ahead_seconds": round(ahead, 1)}
    if abs(ahead) < _TOO_FAR:
        return ok("clock", "agrees with the server's, to the second or two", facts=facts)
    side = "ahead of" if ahead > 0 else "behind"
    advice = (
        "Have one set (NTP). Task times are of the API's clock: compare them with each other, not "
        "with this machine's"
    )
    return warning("clock", f"{_long(abs(ahead))} {side} the server's", advice, facts=facts)


def account(asked: Asked, key: str | None) -> Finding:
    """Say whether the key opens the account."""
    if not asked.replies:
        return failed("account", asked.trouble, "Something stands between you and the API")
    # The first one: a later 429 does not take back an earlier 200.
    reply = asked.replies[0]
    code = _code(reply)
    facts = {"status": reply.status, "code": code}
    if key is None and code in (_GOOD, *_OF_THE_KEY):
        return skipped("account", "there is no key to ask with; the API answers")
    if code == _GOOD:
        return _welcome(_data(reply), facts)
    if code in _REFUSALS:
        text, advice = _REFUSALS[code]
        return failed("account", text, advice, facts=facts)
    return _other(code, facts)


def round_trip(asked: Asked) -> float | None:
    """Return the seconds of a usual question: the middle one of those that were answered."""
    times = sorted(reply.seconds for reply in asked.replies)
    return times[len(times) // 2] if times else None


def _welcome(data: Any, facts: Mapping[str, Any]) -> Finding:
    balance: Any = data.get("balance") if isinstance(data, dict) else None
    if type(balance) not in (int, float) or not abs(balance) < _MOST_MONEY:
        return ok("account", "the key is accepted", facts=facts)
    facts = {**facts, "balance": balance}
    if balance <= 0:
        return warning(
            "account", f"the key is accepted; balance {balance:g}", "Top it up", facts=facts
        )
    return ok("account", f"the key is accepted; balance {balance:g}", facts=facts)


def _other(code: int, facts: Mapping[str, Any]) -> Finding:
    if code == 429:  # noqa: PLR2004 - HTTP's own
        text = "refused for now: too many requests (429)"
        advice = "Something else uses this key's requests. A client waits by itself"
        return warning("account", text, advice, facts=facts)
    if _REDIRECTED <= code < 400:  # noqa: PLR2004 - HTTP's own
        text = f"the host leads elsewhere ({code}), where no client follows"
        return failed("account", text, "Set the address to where the API really is", facts=facts)
    if code >= 500:  # noqa: PLR2004 - HTTP's own
        text = f"the API, or something in front of it, is in trouble ({code})"
        return failed("account", text, "Try again later", facts=facts)
    if code == _NO_API:
        text = "the host answers, but not as the API does: a login page of the network perhaps"
        return failed("account", text, _WRONG_ADDRESS, facts=facts)
    return failed(
        "account", f"the answer is none that is known ({code})", _WRONG_ADDRESS, facts=facts
    )


def _ahead(reply: Reply) -> float | None:
    """Return by how many seconds this machine's clock is ahead; None where nobody knows."""
    try:
        moment = parsedate_to_datetime(reply.date)
        server = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return reply.moment - (server + _HALF_A_SECOND)


def _long(seconds: float) -> str:
    hours, minutes = seconds / 3600, seconds / 60
    if hours >= 2:  # noqa: PLR2004 - from there on
        return f"{hours:,.1f} hours"
    return f"{minutes:.1f} minutes" if minutes >= 2 else span(seconds)  # noqa: PLR2004 - likewise


def _code(reply: Reply) -> int:
    """Return what counts for clients: where the status is good, the code in the envelope."""
    if not _GOOD <= reply.status < _REDIRECTED:
        return reply.status
    envelope = _envelope(reply)
    return envelope["code"] if envelope else _NO_API


def _data(reply: Reply) -> Any:
    envelope = _envelope(reply)
    return envelope.get("data") if envelope else None


def _envelope(reply: Reply) -> dict[str, Any] | None:
    try:
        parsed = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) and type(parsed.get("code")) is int else None
