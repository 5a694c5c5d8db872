"""What a certificate says of itself. Pure.

`ssl` tells it of certificates that it trusts; of the others, which are those in question, it hands
out the bytes alone. These are DER: each value is a tag, a length and a content.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_LONG: Final = 0x80
_ENCODINGS: Final[Mapping[int, str]] = {0x1E: "utf-16-be", 0x0C: "utf-8"}
_COMMON_NAME: Final = b"\x55\x04\x03"
_ORGANISATION: Final = b"\x55\x04\x0a"


class Certificate(NamedTuple):
    """Whose it is, who says so, and for how long."""

    subject: str
    issuer: str
    begins: datetime
    ends: datetime


def read(der: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        ValueError: it is none.
    """
    try:
        (_, whole), *_ = _values(der)
        (_, signed), *_ = _values(whole)
        fields = list(_values(signed))
        if fields[0][0] == _VERSION:
            del fields[0]
        _, _, (_, issuer), (_, validity), (_, subject), *_ = fields
        begins, ends = (_moment(tag, text.decode("ascii")) for tag, text in _values(validity))
        return Certificate(_name(subject), _name(issuer), begins, ends)
    except (IndexError, ValueError) as error:
        raise ValueError("no certificate") from error


def _values(der: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size & _LONG:
            octets = size - _LONG
            size, at = int.from_bytes(der[at : at + octets], "big"), at + octets
        yield tag, der[at : at + size]
        at += size


def _name(der: bytes) -> str:
    """Return a name's common part and its organisation, or which of them there is."""
    parts: dict[bytes, str] = {}
    for _, group in _values(der):
        for _, pair in _values(group):
            (_, kind), (tag, text) = _values(pair)
            parts[kind] = text.decode(_ENCODINGS.get(tag, "latin-1"), "replace")
    names = [parts[kind] for kind in (_COMMON_NAME, _ORGANISATION) if parts.get(kind)]
    return ", ".join(names) or "nobody"


def _moment(tag: int, text: str) -> datetime:
    """Read a time; one of two digits a year is between 1950 and 2049."""
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
