"""Whether TLS stands up to the API's host, and who has signed for it."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple

from yarl import URL

from nanobanana_async.cli.doctor._certificate import Certificate, read
from nanobanana_async.cli.doctor._deadline import Deadline
from nanobanana_async.cli.doctor._finding import Finding, failed, ok, plain, reason, warning
from nanobanana_async.cli.doctor._lookup import Address
from nanobanana_async.cli.doctor._settings import Route

_SOON: Final = 7  # days
_LONGEST_HEAD: Final = 16_384

# OpenSSL's numbers, which `ssl` hands on without names.
_NOT_YET, _EXPIRED, _OTHER_NAME = 9, 10, {62, 64}

_TRUST: Final = (
    "If your company or your virus scanner reads along, the issuer is its name: have its root "
    "certificate installed, or put it into a file that SSL_CERT_FILE names (in code: ssl=). If "
    "not, does this machine have root certificates (ca-certificates)?"
)


class _ProxyRefusedError(Exception):
    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class Handshake(NamedTuple):
    """A handshake that came about."""

    version: str
    certificate: Certificate


async def check_tls(route: Route, address: Address, deadline: Deadline) -> Finding:
    """Shake hands with the API, through the proxy if there is one; nothing is asked."""
    if not route.secure:
        return _unencrypted(route)
    try:
        return trusted(await _shake(route, address, deadline, _context()), datetime.now(UTC))
    except ssl.SSLCertVerificationError as error:
        return await _distrusted(route, address, deadline, error)
    except (OSError, EOFError, ValueError, _ProxyRefusedError) as error:
        return _broken(error, deadline.seconds)


def trusted(handshake: Handshake, now: datetime) -> Finding:
    """Say what a certificate holds that this machine trusts."""
    found = handshake.certificate
    days = (found.ends - now).days
    text = (
        f"{handshake.version}, {plain(found.subject)}, issued by {plain(found.issuer)}, good for "
        f"{days} days"
    )
    facts = {"version": handshake.version} | facts_of(found)
    if days < _SOON:
        return warning("TLS", text, "It runs out soon, and then nothing works", facts=facts)
    return ok("TLS", text, facts=facts)


def untrusted(code: int, message: str, found: Certificate | None) -> Finding:
    """Say why this machine does not trust a certificate.

    Args:
        code: OpenSSL's number of what is wrong.
        message: OpenSSL's words for it.
        found: the certificate, where it could be had.
    """
    text = f"the certificate is not trusted: {plain(message).rstrip('.')}"
    if found:
        text += (
            f". It is for {plain(found.subject)}, issued by {plain(found.issuer)}, good from "
            f"{found.begins:%Y-%m-%d} to {found.ends:%Y-%m-%d}"
        )
    advice = _TRUST
    if code in (_NOT_YET, _EXPIRED):
        advice = "Is this machine's clock right? If it is, the host's owner has to act"
    elif code in _OTHER_NAME:
        advice = "Is the address right? Another host answers there"
    return failed("TLS", text, advice, facts=facts_of(found) if found else {})


def facts_of(found: Certificate) -> dict[str, str]:
    """Return what is fit for JSON."""
    return {
        "subject": found.subject,
        "issuer": found.issuer,
        "begins": found.begins.isoformat(),
        "ends": found.ends.isoformat(),
    }


def _unencrypted(route: Route) -> Finding:
    if route.at_home:
        return ok("TLS", "none, and none is needed: the API is on this machine")
    text = "none: whoever is on the way can read your key"
    return warning("TLS", text, "Use https:// in the address")


def _broken(error: Exception, patience: float) -> Finding:
    match error:
        case _ProxyRefusedError():
            return _refused(error.status)
        case ssl.SSLError():
            text = plain(error.reason or "the handshake failed").replace("_", " ").lower()
            advice = "Is that the port of https://? Perhaps the address has to begin with http://"
            return failed("TLS", text, advice)
        case TimeoutError():
            text = f"no handshake within {patience:g} s"
            return failed("TLS", text, "A firewall perhaps, which lets in connections and no more")
        case OSError():
            text = reason(error)
        case _:
            text = "the connection was closed"
    advice = "A firewall perhaps, or no https:// there"
    return failed("TLS", f"{text}, in the middle of the handshake", advice)


def _refused(status: str) -> Finding:
    if status == "407":
        return failed(
            "TLS",
            "the proxy wants a user name and a password (407)",
            "Put them into its URL: http://user:password@proxy.example:3128",
        )
    text = f"the proxy does not lead to the API: it answers {plain(status) or 'nothing'}"
    return failed("TLS", text, "Ask whoever runs it to allow the API's host")


async def _distrusted(
    route: Route, address: Address, deadline: Deadline, error: ssl.SSLCertVerificationError
) -> Finding:
    """Shake hands once more, with whoever it is, to see the certificate; nothing is said there."""
    try:
        found = (await _shake(route, address, deadline, _trusting())).certificate
    except (OSError, EOFError, ValueError, _ProxyRefusedError):
        return untrusted(error.verify_code, error.verify_message, None)
    return untrusted(error.verify_code, error.verify_message, found)


def _context() -> ssl.SSLContext:
    """Return what aiohttp uses where it is told nothing."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _trusting() -> ssl.SSLContext:
    context = _context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _shake(
    route: Route, address: Address, deadline: Deadline, context: ssl.SSLContext
) -> Handshake:
    async with asyncio.timeout(deadline.left), _connected(route, address, context) as writer:
        end = writer.get_extra_info("ssl_object")
        return Handshake(end.version(), read(end.getpeercert(binary_form=True)))


@asynccontextmanager
async def _connected(
    route: Route, address: Address, context: ssl.SSLContext
) -> AsyncIterator[asyncio.StreamWriter]:
    over_tls = route.hop.scheme == "https"
    reader, writer = await asyncio.open_connection(
        address.ip,
        route.hop.port,
        limit=_LONGEST_HEAD,
        ssl=context if over_tls else None,
        server_hostname=route.hop.raw_host if over_tls else None,
    )
    try:
        if route.proxy:
            await _through(route.proxy, route, reader, writer)
            await writer.start_tls(context, server_hostname=route.host)
        yield writer
    finally:
        writer.transport.abort()


async def _through(
    proxy: URL, route: Route, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Have the proxy lead to the API."""
    host = f"[{route.host}]" if ":" in route.host else route.host
    lines = [f"CONNECT {host}:{route.port} HTTP/1.1", f"Host: {host}:{route.port}"]
    if proxy.user is not None:
        pair = f"{proxy.user}:{proxy.password or ''}".encode("latin-1", "replace")
        lines.append(f"Proxy-Authorization: Basic {b64encode(pair).decode()}")
    writer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _ProxyRefusedError("") from None
    _, _, rest = head.decode("latin-1").partition(" ")
    status = rest[:3]
    if not status.startswith("2"):
        raise _ProxyRefusedError(status)
