"""Which endpoint a request means, before anything is counted or checked."""

import re
from typing import Final, Literal

from attrs import frozen

from nanobanana_async.emulator._envelope import plain
from nanobanana_async.emulator._wire import Answer, Request

Kind = Literal["submit", "check", "balance", "download"]


@frozen
class Route:
    """An endpoint and the part of the path that varies."""

    kind: Kind
    target: str
    """A model's name; for a download `{task id}/{number}.{format}`; else empty."""


@frozen
class _Endpoint:
    kind: Kind
    method: str
    path: re.Pattern[str]


_ENDPOINTS: Final = (
    _Endpoint("check", "GET", re.compile(r"/api/v1/statusTask/([^/]+)")),
    _Endpoint("submit", "POST", re.compile(r"/api/v1/generateTask/([^/]+)")),
    _Endpoint("download", "GET", re.compile(r"/pictures/([^/]+/[^/]+)")),
    _Endpoint("balance", "GET", re.compile(r"/api/v1/apikeys/current-balance()")),
)

_NOT_FOUND: Final = plain(404, "404: Not Found")


def find_route(request: Request) -> Route | Answer:
    """Return the route, or what a plain web server answers where there is none."""
    for endpoint in _ENDPOINTS:
        if match := endpoint.path.fullmatch(request.path):
            if request.method != endpoint.method:
                return plain(405, "405: Method Not Allowed", allow=endpoint.method)
            return Route(endpoint.kind, match[1])
    return _NOT_FOUND
