"""The emulator's HTTP front: the core behind aiohttp.web, on loopback only."""

import asyncio
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from typing import Final, Self, Unpack

from aiohttp import web

from nanobanana_async.emulator._core import EmulatorCore
from nanobanana_async.emulator._courier import Courier
from nanobanana_async.emulator._defects import FAILED, said_aloud
from nanobanana_async.emulator._disturbed import Silent, cut, reset
from nanobanana_async.emulator._gallery import render
from nanobanana_async.emulator._http_post import http_post
from nanobanana_async.emulator._ledger import Ledger
from nanobanana_async.emulator._settings import Settings, SettingsKeywords
from nanobanana_async.emulator._wire import Answer, Cut, Picture, Request, Reset, Silence

_FAMILIES: Final[Mapping[str, socket.AddressFamily]] = {
    "127.0.0.1": socket.AF_INET,
    "localhost": socket.AF_INET,
    "::1": socket.AF_INET6,
}
_BACKLOG: Final = 4096
# Seconds that answers under way get when the emulator is left.
_SHUTDOWN: Final = 1.0


class Emulator:
    """The API on a local port, for as long as `async with` lasts; entered once."""

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, **settings: Unpack[SettingsKeywords]
    ) -> None:
        """Take the fields of `Settings` as keywords.

        Args:
            host: ``127.0.0.1``, ``localhost`` or ``::1``.
            port: 0 is any free one.
            settings: fields of `Settings`.

        Raises:
            ValueError: a setting that cannot be, or a host that is not loopback.
            TypeError: a setting that is not known.
        """
        if host not in _FAMILIES:
            msg = f"the emulator serves loopback only: {', '.join(_FAMILIES)}, not {host!r}"
            raise ValueError(msg)
        self._host = host
        self._port = port
        self._settings = Settings(**settings)
        self._exit = AsyncExitStack()
        self._defect: Exception | None = None

    async def __aenter__(self) -> Self:
        """Begin to serve; afterwards `url` is known.

        Takes one turn of the loop. Cancelled in it, what was begun ends with the loop only.

        Raises:
            OSError: the port is taken.
        """
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        listener = socket.create_server(
            (self._host, self._port), family=_FAMILIES[self._host], backlog=_BACKLOG
        )
        self._port = listener.getsockname()[1]
        self._core = EmulatorCore(self._settings, epoch=time.time(), base_url=self.url)
        self._painter = ThreadPoolExecutor(1, "emulator-painter")
        self._exit.callback(self._painter.shutdown)
        post = await self._exit.enter_async_context(http_post())
        await self._exit.enter_async_context(Courier(self._core, self._now, post))
        server = web.Server(self._serve, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN)
        self._exit.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.SockSite(runner, listener, backlog=_BACKLOG).start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop serving. Connections, deliveries under way and the drawing thread end here.

        Answers under way get one second; cancelled, none.

        Raises:
            RuntimeError: something in the emulator broke meanwhile, such as a `service` of your own;
                not where the block raises anyway.
        """
        await self._exit.aclose()
        if self._defect is not None and kind is None:
            raise RuntimeError(FAILED) from self._defect

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:8787`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def ledger(self) -> Ledger:
        """Take a snapshot of what was seen so far; also after the end."""
        return self._core.ledger(self._now())

    def _now(self) -> float:
        return self._loop.time() - self._began

    async def _serve(self, http: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in http.headers.items()}
        body = (
            await http.content.read()
        )  # whole, however long: aiohttp's own limit is not the API's
        request = Request(http.method, http.path, http.query, headers, body)
        with self._no_fault_of_the_api(request):
            delay, outcome = self._core.handle(self._now(), request)
        if delay > 0:
            await asyncio.sleep(delay)
        if isinstance(outcome, Reset):
            return reset(http)
        if isinstance(outcome, Silence):
            return Silent()
        if isinstance(outcome, Cut):
            return await cut(http, await self._drawn(request, outcome.of))
        answer = await self._drawn(request, outcome)
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

    async def _drawn(self, request: Request, outcome: Answer | Picture) -> Answer:
        if isinstance(outcome, Picture):
            with self._no_fault_of_the_api(request):
                return await self._loop.run_in_executor(self._painter, render, outcome)
        return outcome

    @contextmanager
    def _no_fault_of_the_api(self, request: Request) -> Iterator[None]:
        """Note what breaks in here. To a client it is one more answer 500, which it bears."""
        try:
            with said_aloud(request):
                yield
        except Exception as error:
            self._defect = self._defect or error
            raise web.HTTPInternalServerError(text=FAILED) from error
