"""What a client would be told by options and environment: key, address, proxy."""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from nanobanana_async import MissingKeyError, NanoBananaClient
from nanobanana_async.cli.doctor._finding import Finding, failed, ok, plain, warning

VENDOR: Final = "https://api.apixo.ai"
"""Where a client turns to that is told nothing else; a test holds it against the client's."""

_NO_KEY_OF_ANYBODY: Final = "sk-placeholder"
_SHORTEST_KEY: Final = 8
_PLACEHOLDERS: Final = ("your", "xxx", "...", "<", "changeme", "placeholder", "api_key", "api-key")


class Route(NamedTuple):
    """How the API is reached."""

    root: URL
    """Below it the API is."""
    proxy: URL | None = None

    @property
    def host(self) -> str:
        """The API's host."""
        return self.root.raw_host or ""

    @property
    def port(self) -> int:
        return self.root.port or 0

    @property
    def hop(self) -> URL:
        """What this machine connects to: the proxy, or the API itself."""
        return self.proxy or self.root

    @property
    def secure(self) -> bool:
        return self.root.scheme == "https"

    @property
    def at_home(self) -> bool:
        """Whether the API is on this machine."""
        return is_loopback(self.host)


def check_key(environment: Mapping[str, str]) -> tuple[str | None, Finding]:
    """Return the key, None where a client would not take it, and what its form says."""
    key = environment.get("APIXO_API_KEY", "")
    if not key:
        return None, _no_key(key, environment)
    try:
        NanoBananaClient(key, base_url=VENDOR)
    except MissingKeyError:
        return None, _no_key(key, environment)
    said = "from APIXO_API_KEY"
    if key[0] in "'\"" or key[-1] in "'\"":
        return key, warning("key", f"{said}, in quotation marks", "Take them off")
    if len(key) < _SHORTEST_KEY or any(part in key.lower() for part in _PLACEHOLDERS):
        advice = "Set APIXO_API_KEY to a key of your account"
        return key, warning("key", f"{said}, but it looks like an example's", advice)
    return key, ok("key", f"{said}, in a plausible form")


def _no_key(key: str, environment: Mapping[str, str]) -> Finding:
    if key:
        if key.lower().startswith("bearer"):
            return failed("key", "APIXO_API_KEY begins with `Bearer`", "Set it to the key alone")
        text = "APIXO_API_KEY holds blanks, a line end or other signs that no key has"
        return failed("key", text, "Set it anew, to the key alone")
    near = [name for name in environment if name != "APIXO_API_KEY" and _like_a_key(name)]
    text = f"APIXO_API_KEY is {'empty' if 'APIXO_API_KEY' in environment else 'not set'}"
    if near:
        text += f"; {plain(near[0])} is, which nobody reads"
    return failed("key", text, "export APIXO_API_KEY=... in the shell that runs your program")


def _like_a_key(name: str) -> bool:
    name = name.upper()
    return "KEY" in name and ("APIXO" in name or "NANOBANANA" in name or "NANO_BANANA" in name)


def check_address(option: str | None, environment: Mapping[str, str]) -> tuple[URL | None, Finding]:
    """Return the URL below which the API is, None where there is none, and where it is from.

    Raises:
        ValueError: the option makes no sense.
    """
    variable = environment.get("APIXO_BASE_URL")
    source = "--base-url" if option else "APIXO_BASE_URL" if variable else "the default"
    base = option or variable or VENDOR
    try:
        root = _root(base)
    except ValueError as error:
        if option:
            raise ValueError(f"--base-url: {error}") from None
        advice = f"Unset it for the vendor's API ({VENDOR}), or give --base-url"
        return None, failed("address", f"APIXO_BASE_URL makes no sense: {error}", advice)
    shown = plain(str(root).removesuffix("/api/v1"))
    finding = ok("address", f"{shown}, from {source}", facts={"base_url": shown, "source": source})
    if option and variable and variable != option:
        text = f"{finding.text}; APIXO_BASE_URL says something else, and programs follow it"
        finding = warning("address", text, "Unset or change APIXO_BASE_URL", facts=finding.facts)
    return root, finding


def _root(base: str) -> URL:
    """Take what a client takes."""
    try:
        NanoBananaClient(_NO_KEY_OF_ANYBODY, base_url=base)
        url = URL(base.strip().rstrip("/"))
        url.port  # noqa: B018 - raises where it is too high a number
    except ValueError as error:
        # Not what it quotes in the end: a query may hold a key.
        raise ValueError(str(error).partition(": ")[0]) from None
    return url if url.path.endswith("/api/v1") else url / "api" / "v1"


def check_proxy(root: URL, option: str | None) -> tuple[URL | None, Finding]:
    """Return the proxy that a client with these settings uses, and why.

    Raises:
        ValueError: the option makes no sense.
    """
    if option is not None:
        NanoBananaClient(_NO_KEY_OF_ANYBODY, base_url=VENDOR, proxy=option)
        url = URL(option)
        facts = {"proxy": shown(url), "source": "--proxy"}
        return url, ok("proxy", f"{shown(url)}, from --proxy", facts=facts)
    proxies = {scheme: url for scheme, url in getproxies().items() if scheme != "no"}
    host = root.raw_host or ""
    if is_loopback(host):
        left = _set_but_unused(proxies, "and not used for this machine")
        return None, ok("proxy", f"none is needed{left}")
    if proxies and proxy_bypass(host):
        return None, ok("proxy", f"none: NO_PROXY leaves out {plain(host)}")
    if root.scheme not in proxies:
        left = _set_but_unused(proxies, f"but not used for {root.scheme}://")
        return None, ok("proxy", f"none{left}")
    return _of_environment(proxies[root.scheme], f"{root.scheme.upper()}_PROXY")


def _of_environment(value: str, source: str) -> tuple[URL | None, Finding]:
    try:
        url = URL(value)
        url.port  # noqa: B018 - raises where it is too high a number
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        text = f"{source} is used, and is no http:// URL"
        advice = (
            "Set it to one such as http://proxy.example:3128 (SOCKS does not work), or unset it"
        )
        return None, failed("proxy", text, advice)
    text = (
        f"{shown(url)}, from {source}. A client with a session= of yours uses it where that "
        "session has trust_env=True"
    )
    return url, ok("proxy", text, facts={"proxy": shown(url), "source": source})


def _set_but_unused(proxies: Mapping[str, str], why: str) -> str:
    names = [f"{scheme.upper()}_PROXY" for scheme in sorted(proxies)]
    return f"; {' and '.join(names)} set, {why}" if names else ""


def shown(proxy: URL) -> str:
    """Write a proxy's address without user and password."""
    return plain(str(proxy.origin()))


def is_loopback(host: str) -> bool:
    """Tell whether a URL's host is this machine."""
    name = host.rstrip(".").lower()
    try:
        address = ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
