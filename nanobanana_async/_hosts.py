"""Which hosts a picture may be fetched from. Pure: names are resolved elsewhere.

A picture's URL comes from the API, and a redirect from whoever answers there. Followed blindly,
either can make this process ask what only it can reach: a router, a database, a cloud's metadata.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from attrs import frozen

__all__ = ["HostRules", "RefusedHostError", "is_loopback"]

_Address: TypeAlias = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOW_32_BITS: Final = 0xFFFF_FFFF

_ADVICE: Final = {
    "private": "NanoBananaClient(private_hosts=True) allows private addresses",
    "loopback": "Loopback is allowed where the client's base_url is loopback itself",
}
_NEVER: Final = "Pictures are never fetched from such an address"


class RefusedHostError(Exception):
    """Nothing was sent to a host; `advice` says how to allow it."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


@frozen
class HostRules:
    """What is allowed beside public addresses."""

    loopback: bool = False
    """This machine."""
    private: bool = False
    """Private and shared networks, and others that are not reached from everywhere."""

    def check(self, host: str, address: str | None = None) -> None:
        """Check a host as it stands in a URL, or one of the addresses that its name has.

        A name without an address passes: whoever resolves it asks again.

        Raises:
            RefusedHostError: it is none that pictures may come from.
        """
        kind = _kind(address or host)
        if kind is None or getattr(self, kind, False):
            return
        where = f"{host} ({address})" if address not in (None, host) else host
        raise RefusedHostError(f"{where} is {kind}, not public", _ADVICE.get(kind, _NEVER))


def is_loopback(host: str) -> bool:
    """Whether a host in a URL is this machine, by its address or by the name localhost."""
    return _kind(host) == "loopback"


def _kind(host: str) -> str | None:
    """Return what is special about an address; None of a public one, and of a name."""
    address = _literal(host)
    if address is None:
        name = host.rstrip(".").lower()
        return "loopback" if name == "localhost" or name.endswith(".localhost") else None
    kinds = {
        "unspecified": address.is_unspecified,
        "loopback": address.is_loopback,
        "link-local": address.is_link_local,
        "multicast": address.is_multicast,
        "reserved": address.is_reserved,
        # Not `is_private`, which leaves out the networks that providers share (100.64.0.0/10), and
        # the private ones that IPv6 had at first (fec0::/10).
        "private": not address.is_global or getattr(address, "is_site_local", False),
    }
    return next((kind for kind, holds in kinds.items() if holds), None)


def _literal(host: str) -> _Address | None:
    host = host.rstrip(".")
    try:
        return _plain(ip_address(host))
    except ValueError:
        pass
    try:
        # What `socket` takes besides: 127.1, 2130706433, 0x7f.0.0.1.
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _plain(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address leads to, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & _LOW_32_BITS)
    return address.ipv4_mapped or address.sixtofour or address
