"""The client: composition only. What happens is in the modules below."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from ssl import SSLContext
from types import MappingProxyType, TracebackType
from typing import Any, Final, Literal, Self, TypedDict, TypeVar, Unpack

import aiohttp
from attrs import evolve

from nanobanana_async._balance import balance
from nanobanana_async._checks import check_flag, check_seconds
from nanobanana_async._codec import service_class, submit_body
from nanobanana_async._deliveries import Deliveries, WebhookReceiver
from nanobanana_async._download import Downloader, paths_for
from nanobanana_async._engine import Engine, Settings
from nanobanana_async._errors import (
    ClientClosedError,
    TaskTimeoutError,
    WrongLoopError,
)
from nanobanana_async._generation import Generation
from nanobanana_async._hops import Hops
from nanobanana_async._hosts import HostRules, is_loopback
from nanobanana_async._journal import Journal
from nanobanana_async._limits import Limits
from nanobanana_async._many import GenerateMany, Requests, check_source
from nanobanana_async._models import ImageRequest, ImageResult, Statistics
from nanobanana_async._observer import Observer
from nanobanana_async._options import (
    check_kind,
    check_model,
    check_session,
    journal_from,
    key_from,
    transport_from,
    watch_from,
    webhooks_for,
)
from nanobanana_async._picture import Picture
from nanobanana_async._polling import Polling
from nanobanana_async._resume import Resumption
from nanobanana_async._service_times import ServiceTimes
from nanobanana_async._sharing import Sharing
from nanobanana_async._specs import DEFAULT_MODEL
from nanobanana_async._storage import LocalFile, Storage
from nanobanana_async._task import Task
from nanobanana_async._transport import Connections, HttpTransport, Secret, api_root
from nanobanana_async._validation import checked
from nanobanana_async._version import __version__
from nanobanana_async._waiting import wait
from nanobanana_async._webhooks import Webhooks
from nanobanana_async._wire import Transport

__all__ = ["NanoBananaClient", "RequestFields"]

DEFAULT_BASE_URL: Final = "https://api.apixo.ai"

T = TypeVar("T")


class RequestFields(TypedDict, total=False):
    """`ImageRequest`'s fields as keywords of `generate` and `submit`."""

    image_urls: list[str] | tuple[str, ...]
    mode: Literal["text-to-image", "image-to-image"] | None
    aspect_ratio: str | None
    resolution: str | None
    output_format: str | None
    google_search: bool
    provider: Literal["auto", "value", "official"] | None
    model: str | None
    callback_url: str | None
    key: str | None
    extra: dict[str, Any]


class _Unset:
    """The default of options that fall back to the client's: None means something of its own."""

    def __repr__(self) -> str:
        return "<the client's>"


_UNSET: Final = _Unset()
_SHARING: Final = Sharing()


class NanoBananaClient:
    """Generates images: thousands at once, at the account's limits, never paying twice.

    ``async with NanoBananaClient() as client: …``, or call `aclose` in the end. A client belongs to
    the event loop in which it was first used.

    Args:
        api_key: the account's key; ``APIXO_API_KEY`` when None.
        base_url: the API's address, with or without ``/api/v1``; ``APIXO_BASE_URL`` when None.
        model: the model of requests that name none.
        limits: what the account may do at once.
        polling: how tasks are looked at, and what is known of how long they take.
        timeout: seconds for the whole wait of one call, None for as long as it takes.
        request_timeout: seconds for one HTTP request.
        connect_patience: seconds for which calls that were not sent yet wait while no connection
            can be had; None for ever.
        unknown_hold: seconds for which a submit whose answer was lost keeps its slot, until some 200
            tasks of its kind were seen to end: from then on as long as 99 of 100 of them take, 30 s
            at least. With `webhooks` it is their `unknown_patience`.
        stuck_after: seconds after which a task counts as stuck: at the next look its waiters are
            told and its slot is free again; from then on it is looked at once a minute.
        resubmit_unknown: send a submit whose answer was lost again, which may be paid for twice.
        session: use this session's connections, cookies, headers and proxy; it is not changed and
            not closed. Pictures are fetched over connections of their own with the same TLS,
            resolver and proxy, without its cookies and headers.
        proxy: URL of an HTTP proxy.
        ssl: as in `aiohttp.TCPConnector`: False checks no certificate.
        journal: where each submit is recorded before it is sent, and what became of it: a path of
            an SQLite file, or a `Journal`. `resume` hands out what earlier clients left in it.
        webhooks: have the API tell how tasks end, at a URL of yours; tasks are then looked at only
            where a delivery seems to be lost. See `webhooks`.
        telemetry: `nanobanana_async.telemetry.Telemetry` makes OpenTelemetry's spans and metrics of
            what the client does; None for none.
        private_hosts: fetch pictures from private addresses too. Otherwise public ones alone are
            asked, and this machine where `base_url` is on it. Where a proxy or a session's own
            kind of connector resolves names, only addresses in URLs can be checked.
        transport: carries requests in place of HTTP, for example the emulator's in-memory front.

    Raises:
        MissingKeyError: there is no key.
        ValueError, TypeError: an argument makes no sense; it is named.
    """

    _engine: Engine | None = None

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        model: str = DEFAULT_MODEL,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        polling: Polling = Polling(),  # noqa: B008 - frozen
        timeout: float | None = None,
        request_timeout: float = 30.0,
        connect_patience: float | None = 60.0,
        unknown_hold: float = 120.0,
        stuck_after: float = 1800.0,
        resubmit_unknown: bool = False,
        session: aiohttp.ClientSession | None = None,
        proxy: str | None = None,
        ssl: SSLContext | bool = True,
        journal: Journal | str | os.PathLike[str] | None = None,
        webhooks: Webhooks | None = None,
        telemetry: Observer | None = None,
        private_hosts: bool = False,
        transport: Transport | None = None,
    ) -> None:
        if base_url is None:  # an empty text is somebody's mistake, and no wish for the vendor
            base_url = os.environ.get("APIXO_BASE_URL") or DEFAULT_BASE_URL
        self._base_url = base_url
        check_model(model)
        _check_patience(timeout=timeout, connect_patience=connect_patience)
        check_seconds("request_timeout", request_timeout)
        check_seconds("unknown_hold", unknown_hold)
        check_seconds("stuck_after", stuck_after)
        check_flag("resubmit_unknown", resubmit_unknown)
        check_flag("private_hosts", private_hosts)
        check_kind("limits", limits, Limits)
        check_kind("polling", polling, Polling)
        check_session(session)
        self._root = api_root(self._base_url)
        self._key = Secret() if transport is not None else key_from(api_key)
        self._model = model
        self._timeout = timeout
        self._resubmit_unknown = resubmit_unknown
        self._connections = Connections(session, proxy, ssl)
        self._hosts = HostRules(is_loopback(str(self._root.host)), private_hosts)
        self._transport = transport_from(transport)
        self._journal = journal_from(journal)
        self._settings = Settings(
            base_url=self._base_url,
            limits=limits,
            polling=polling,
            request_timeout=request_timeout,
            connect_patience=connect_patience,
            unknown_hold=unknown_hold,
            stuck_after=stuck_after,
            webhooks=webhooks_for(self._root, webhooks),
            watch=watch_from(telemetry),
        )
        self._downloads: Downloader | None = None
        self._closed = False

    def __repr__(self) -> str:
        figures = f" {self._engine.statistics()}" if self._engine else ""
        return f"<NanoBananaClient {self._base_url}{figures}>"

    async def __aenter__(self) -> Self:
        """Open the client. Cancelled, or where it fails, it is closed again.

        Raises:
            JournalError: the journal cannot be opened; its subclasses say why.
            ClientClosedError: it was closed before: make another one.
            WrongLoopError: it was used in another event loop before.
        """
        engine = self._live()
        try:
            await engine.opened()
        except BaseException:  # who does not get in does not come to `__aexit__` either
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client, as `aclose` does; cancelled, likewise."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client and leave nothing behind. Does no harm when called again.

        Calls that wait in line fail with `ClientClosedError`; submits under way are awaited for up
        to `request_timeout`; waiters of running tasks get `ClientClosedError` with the task's id. A
        warning names what still runs at the API. Cancelled, it closes all the same, and gives
        submits under way 5 s.

        Raises:
            WrongLoopError: called in another event loop or thread than the client's.
        """
        if self._engine is not None:
            self._engine.dispatcher.check_loop()
        self._closed = True
        try:
            if self._engine is not None:
                await self._engine.aclose()
        finally:
            if self._downloads is not None:
                await self._downloads.hops.sessions.aclose()

    # Generating

    def check(self, prompt: str | ImageRequest, **fields: Unpack[RequestFields]) -> None:
        """Check a request against the rules of its model; nothing is sent.

        `generate` and `submit` check it, too. This is for whoever wants to know before, of many
        requests or in front of a line of their own.

        Args:
            prompt: what to draw, or a whole request.
            fields: of `ImageRequest`.

        Raises:
            InvalidRequestError: a rule is broken; `faults` names all that are.
        """
        checked(_request(prompt, fields), self._model)

    async def generate(
        self,
        prompt: str | ImageRequest,
        *,
        timeout: float | _Unset | None = _UNSET,  # noqa: ASYNC109 - has errors of its own
        resubmit_unknown: bool | None = None,
        bulk: bool = False,
        **fields: Unpack[RequestFields],
    ) -> ImageResult:
        """Submit one request and wait for its picture; waits in line where the limits ask for it.

        Cancelled before it was sent, it is withdrawn and costs nothing. Cancelled later, the task
        is tracked on, since the API runs it and charges for it.

        Args:
            prompt: what to draw, or a whole request.
            timeout: seconds for the whole wait, None for as long as it takes; the client's when not
                given.
            resubmit_unknown: send it again where the submit's answer was lost, which may be paid
                for twice; the client's when None.
            bulk: stand in line behind the calls without it, as those of `generate_many` do. What
                stops the client while it stands there comes as `NotSubmittedError`.
            fields: of `ImageRequest`; those of a whole request are replaced.

        Raises:
            InvalidRequestError: a rule of the API is broken; nothing was sent.
            TaskFailedError: the API reports that it failed.
            TaskTimeoutError: the time is over; ``await error.task`` waits on.
            QueueTimeoutError: the time is over; it was not sent.
            NotSubmittedError: with `bulk`, it was not sent; ``__cause__`` says why.
            SubmitUnknownError: it may have been accepted: the answer was lost.
            NanoBananaError: any of the others.
            ValueError: `timeout`, `resubmit_unknown` or `bulk` makes no sense.
        """
        engine = self._live()
        seconds = self._seconds(timeout)
        generation = self._prepare(
            _request(prompt, fields), self._anew(resubmit_unknown), bulk=bulk
        )
        engine.dispatcher.submit(generation)
        return await self._wait(generation.result, generation, seconds)

    async def submit(
        self,
        prompt: str | ImageRequest,
        *,
        timeout: float | _Unset | None = _UNSET,  # noqa: ASYNC109 - has errors of its own
        resubmit_unknown: bool | None = None,
        bulk: bool = False,
        **fields: Unpack[RequestFields],
    ) -> Task:
        """Submit one request and return a handle as soon as the API has accepted it.

        Cancelled before it was sent, it is withdrawn and costs nothing. Cancelled later, the task
        is tracked on, and its end is logged where nobody asks for it: it is paid for.

        Args:
            prompt: what to draw, or a whole request.
            timeout: seconds until it is accepted, None for as long as it takes; the client's when
                not given.
            resubmit_unknown: as for `generate`.
            bulk: as for `generate`.
            fields: as for `generate`.

        Raises:
            InvalidRequestError: a rule of the API is broken; nothing was sent.
            QueueTimeoutError: the time is over; it was not sent.
            TaskTimeoutError: the time is over, and it is on its way; ``await error.task`` waits on.
            NotSubmittedError: with `bulk`, it was not sent; ``__cause__`` says why.
            SubmitUnknownError: it may have been accepted: the answer was lost.
            NanoBananaError: any of the others.
            ValueError: `timeout`, `resubmit_unknown` or `bulk` makes no sense.
        """
        engine = self._live()
        seconds = self._seconds(timeout)
        generation = self._prepare(
            _request(prompt, fields), self._anew(resubmit_unknown), bulk=bulk
        )
        generation.accepted = engine.loop.create_future()
        engine.dispatcher.submit(generation)
        await self._wait(generation.accepted, generation, seconds)
        return engine.handle_of(generation)

    def generate_many(
        self,
        requests: Requests,
        *,
        timeout: float | _Unset | None = _UNSET,
        resubmit_unknown: bool | None = None,
    ) -> GenerateMany:
        """Generate all of `requests`, behind interactive calls; outcomes come as they complete.

        Nothing is read or sent before the first outcome is asked for. What leaving early, a
        cancellation included, does says `GenerateMany`.

        Args:
            requests: prompts or requests; any iterable or async iterable, read as there is room.
            timeout: seconds for each, from when it was read, None for as long as it takes; the
                client's when not given.
            resubmit_unknown: as for `generate`.

        Raises:
            TypeError: `requests` is a single prompt, or nothing that can be iterated over.
            ValueError: `timeout` or `resubmit_unknown` makes no sense.
            NanoBananaError: what stopped this client: nothing is sent any more.
        """
        check_source(requests)
        anew = self._anew(resubmit_unknown)
        watch = self._settings.watch
        caller = None if watch is None else watch.caller()

        def prepare(request: ImageRequest) -> Generation:
            engine.dispatcher.check()
            return self._prepare(request, anew, bulk=True, caller=caller)

        engine = self._live()
        return GenerateMany(engine, requests, prepare, self._seconds(timeout))

    def task(self, task_id: str, *, model: str | None = None) -> Task:
        """Return the handle of a known task, for example one of an earlier process.

        Nothing is sent before somebody asks the handle. While the task is in flight the same id
        gives the same handle.

        Args:
            task_id: the API's id of it.
            model: the one that it was submitted to; the client's when None.

        Raises:
            ValueError: `task_id` is no text, or empty.
            NanoBananaError: what stopped this client: nothing is sent any more.
        """
        if not (isinstance(task_id, str) and task_id):
            raise ValueError(f"task_id must be a task's id, not {task_id!r}")
        return self._live().known_task(task_id, model or self._model)

    async def balance(self) -> Any:
        """Return the account's balance, as the API tells it: its shape is not documented.

        Takes a request of the budget, ahead of what waits in line. Cancelled before it was sent, it
        takes none.

        Raises:
            AuthenticationError: the key is wrong.
            APIStatusError: the API refuses to tell, or did not answer usefully for 30 s:
                `RateLimitError` and `ServerError` are two of its kinds.
            APIConnectionError: no connection for `connect_patience`, or no whole answer for 30 s.
            ClientClosedError: the client is closed.
        """
        engine = self._live()
        return await balance(engine.dispatcher, engine.random)

    # What earlier clients left

    def resume(self) -> Resumption:
        """Take up what earlier clients left in the journal: ``async for outcome in …``.

        Every attempt that may have been paid for and was not acknowledged is handed out, once a
        client. What runs is tracked again from now on and holds its slot; a submit of which nobody
        knows what became of it is a `SubmitUnknownError`, which is never sent again by itself, and
        holds a slot until `unknown_hold` after it was sent (with `webhooks`, its delivery is awaited
        until `Webhooks.unknown_patience` after it was sent). What is not acknowledged
        (`Outcome.acknowledge`) is handed out again by the next client. Without a journal there is
        nothing.

        Raises:
            NanoBananaError: what stopped this client: nothing is looked at any more.
        """
        engine = self._live()
        resumption = Resumption(engine, self._settings.unknown_hold)
        if engine.is_open:
            resumption.begin()
        return resumption

    def sent(self) -> Mapping[str, str | None]:
        """Return what earlier clients sent that may have been accepted, acknowledged or not.

        By the request's key the id of its (last) task, None where none is known. From the journal,
        so once the client is open. What has none of these keys was certainly not paid for, unless
        the journal has forgotten it (`SqliteJournal.forget_after`).

        Raises:
            NanoBananaError: what stopped this client.
        """
        return MappingProxyType(self._live().attempts.sent)

    def unfinished(self) -> list[str]:
        """Return the ids of the tasks that still run, as far as is known; oldest first.

        Of a closed client, those that it left behind: `task` of a new client picks them up.
        """
        return [] if self._engine is None else list(self._engine.tracker.tasks)

    def statistics(self) -> Statistics:
        """Return the figures of this moment; of a closed client, the last ones.

        Raises:
            ClientClosedError: it was closed before it was ever used.
            WrongLoopError: it was never used, and no event loop runs here.
        """
        return (self._engine or self._live()).statistics()

    def expected_wait(self, *, bulk: bool = False) -> float:
        """Return the seconds for which a call made now would wait in line before it is sent.

        An estimate from `statistics`, and from what is known of when a pause ends: a third off is
        nothing unusual. While tasks take as long as they did, and what waits does not give up.

        Args:
            bulk: of a call made with `bulk`: behind all who wait now. Later calls overtake it.

        Raises:
            NanoBananaError: what stopped this client: nothing is sent any more.
        """
        return self._live().expected_wait(bulk=bulk)

    def service_times(self) -> ServiceTimes:
        """Return what was learned of how long tasks take; of a closed client too.

        ``Polling(service_times=…)`` of a later client starts from it.

        Raises:
            ClientClosedError: it was closed before it was ever used.
            WrongLoopError: it was never used, and no event loop runs here.
        """
        return (self._engine or self._live()).times.export()

    @property
    def limits(self) -> Limits:
        """What the account may do at once; may be set while the client runs.

        From then on nothing is sent that would exceed the new limits: where the last minute or the
        running tasks do so already, the client waits until they don't; optimistic submits go beyond
        the tasks' limit as ever. Nothing that runs is lost.
        A lower number that was learned from refusals stays in force.

        Raises:
            WrongLoopError: set in another event loop or thread than the client's.
            TypeError: set to what are no `Limits`.
        """
        return self._settings.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        check_kind("limits", limits, Limits)
        if self._engine is not None and not self._closed:
            self._engine.change_limits(limits)
        self._settings = evolve(self._settings, limits=limits)

    @property
    def webhooks(self) -> WebhookReceiver:
        """Where the deliveries of the client's webhooks go in.

        ``nanobanana_async.webhooks.asgi`` and ``….aiohttp`` bring them there; in any other framework
        ``await client.webhooks.deliver(body, token)`` does.

        Raises:
            ValueError: the client has none.
        """
        if self._settings.webhooks is None:
            raise ValueError("The client has no webhooks: give it webhooks=Webhooks(…)")
        return WebhookReceiver(self._deliveries)

    # Downloading

    async def download(self, result: ImageResult, path: str | os.PathLike[str]) -> Path:
        """Download the (first) picture of a result; in a folder it is named after the task.

        Takes no request of the budget, and the API's key is not sent. The file is there only when
        it is whole: cancelled, no broken one is left behind.

        Args:
            result: what `generate` has returned.
            path: a file, which is replaced where it is there; or a folder: one that is there, or
                whatever ends in a slash.

        Raises:
            DownloadError: it could not be had; it is paid for, so try again.
            TypeError: `result` is no `ImageResult`.
            ClientClosedError: the client is closed.
        """
        check_kind("result", result, ImageResult)
        return (await self._download(result.urls[:1], result, path))[0]

    async def download_all(self, result: ImageResult, path: str | os.PathLike[str]) -> list[Path]:
        """Download all pictures of a result: cafe.png, cafe-2.png, …; otherwise as `download`.

        One after the other. Cancelled, or where one fails, those before it stay.

        Raises:
            DownloadError: one could not be had; it is paid for, so try again.
            TypeError: `result` is no `ImageResult`.
            ClientClosedError: the client is closed.
        """
        check_kind("result", result, ImageResult)
        return await self._download(result.urls, result, path)

    async def fetch(
        self,
        url: str,
        storage: Storage,
        name: str,
        *,
        task_id: str,
        expected: Literal["png", "jpeg"] | None = None,
    ) -> Picture:
        """Download one picture into a storage, such as a `LocalFolder`, and say what it is.

        As with `download`, no request of the budget is taken, and the API's key is not sent. What
        fails or is cancelled leaves no broken picture behind.

        Args:
            url: one of a result's `urls`.
            storage: where it goes.
            name: what it is called there; in a folder a path below it, such as ``images/17.png``.
            task_id: for the error.
            expected: the format that was asked for; None takes either.

        Raises:
            DownloadError: it could not be had whole, or is no such picture. Where it could not be
                stored, ``__cause__`` is the storage's OSError: ``errno.ENOSPC`` is a full disk.
            ValueError: the name leads out of the storage, or `expected` is no format.
            ClientClosedError: the client is closed.
        """
        downloader = self._downloader()
        return await downloader.fetch(url, storage, name, task_id=task_id, expected=expected)

    # Inside

    def _deliveries(self) -> Deliveries | None:
        engine = self._engine
        if engine is None or not engine.is_open:
            return None
        engine.dispatcher.check_loop()
        return engine.deliveries

    async def _download(
        self, urls: tuple[str, ...], result: ImageResult, place: str | os.PathLike[str]
    ) -> list[Path]:
        downloader = self._downloader()
        paths = paths_for(result, place)[: len(urls)]
        for url, path in zip(urls, paths, strict=True):
            await downloader.fetch(url, LocalFile(path), str(path), task_id=result.task_id)
        return paths

    def _live(self) -> Engine:
        """Return the engine, started in the running loop at the first use."""
        if self._engine is None:
            if self._closed:
                raise ClientClosedError("The client is closed")
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                raise WrongLoopError(
                    "The client must be used inside a running event loop"
                ) from None
            transport = self._transport or self._http()
            self._engine = Engine(transport, self._settings, self._journal)
            if self._key:
                account = self._key, str(self._root)
                _SHARING.begin(self, *account)
                self._engine.when_over(partial(_SHARING.end, self, *account))
        self._engine.dispatcher.check()
        return self._engine

    def _http(self) -> HttpTransport:
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "User-Agent": f"nanobanana-async/{__version__}",
        }
        return HttpTransport(self._connections.api_session(self._root), self._root, headers)

    def _downloader(self) -> Downloader:
        """A client that was stopped, by a wrong key say, still fetches what was paid for."""
        if self._closed:
            raise ClientClosedError("The client is closed")
        engine = self._engine or self._live()
        engine.dispatcher.check_loop()
        if self._downloads is None:
            sessions = self._connections.download_sessions(self._root, self._hosts)
            hops = Hops(sessions, self._hosts, self._settings.request_timeout)
            self._downloads = Downloader(hops, engine.random, self._settings.watch)
        return self._downloads

    def _prepare(
        self,
        request: ImageRequest,
        resubmit_unknown: bool,
        *,
        bulk: bool,
        caller: object = None,
    ) -> Generation:
        """Check a request and make it ready to be queued."""
        check_flag("bulk", bulk)
        spec = checked(request, self._model)
        generation = Generation(
            spec.name,
            service_class(request, spec),
            request,
            asyncio.get_running_loop().time(),
            body=submit_body(request, spec),
            bulk=bulk,
            resubmit_unknown=resubmit_unknown,
        )
        if self._settings.watch is not None:
            generation.trace = self._settings.watch.began(generation, caller)
        return generation

    async def _wait(
        self,
        future: asyncio.Future[T],
        generation: Generation,
        timeout: float | None,  # noqa: ASYNC109 - see `wait`
    ) -> T:
        engine = self._live()
        try:
            return await wait(future, generation, engine.dispatcher, timeout)
        except TaskTimeoutError as error:
            error.task = engine.handle_of(generation)
            raise

    def _seconds(self, timeout: float | _Unset | None) -> float | None:
        if isinstance(timeout, _Unset):
            return self._timeout
        _check_patience(timeout=timeout)
        return timeout

    def _anew(self, resubmit_unknown: bool | None) -> bool:
        if resubmit_unknown is None:
            return self._resubmit_unknown
        check_flag("resubmit_unknown", resubmit_unknown)
        return resubmit_unknown


def _check_patience(**options: float | None) -> None:
    for name, seconds in options.items():
        if seconds is not None:
            check_seconds(name, seconds)


def _request(prompt: str | ImageRequest, fields: RequestFields) -> ImageRequest:
    if isinstance(prompt, ImageRequest):
        return evolve(prompt, **fields) if fields else prompt
    return ImageRequest(prompt, **fields)
