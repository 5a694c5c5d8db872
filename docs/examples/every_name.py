"""Every public name at work, in the parts of one small print shop: `python every_name.py`.

It needs no key: the emulator stands in for the API. Its types satisfy `mypy --strict` and pyright.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

from aiohttp import web

from nanobanana_async import (
    MODELS,
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    ClassTimes,
    ClientClosedError,
    ClientCrashedError,
    DeliveryRelay,
    DownloadError,
    FieldFault,
    GenerateMany,
    ImageRequest,
    ImageResult,
    InsufficientBalanceError,
    InvalidRequestError,
    Journal,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalVersionError,
    Kind,
    Limits,
    LocalFolder,
    LocalRelay,
    MissingKeyError,
    ModelSpec,
    NanoBananaClient,
    NanoBananaError,
    NotFoundError,
    NotSubmittedError,
    Outcome,
    PermissionDeniedError,
    Picture,
    Polling,
    QueueTimeoutError,
    RateLimitError,
    Record,
    RequestFields,
    ResultUnreadableError,
    Resumption,
    ServerError,
    ServiceTimes,
    ServiceTimesError,
    Sink,
    SqliteJournal,
    Statistics,
    Storage,
    SubmitUnknownError,
    Task,
    TaskError,
    TaskFailedError,
    TaskHandle,
    TaskNotFoundError,
    TaskStatus,
    TaskStuckError,
    TaskTimeoutError,
    WebhookReceiver,
    Webhooks,
    WrongLoopError,
    __version__,
)
from nanobanana_async.bulk import (
    BulkError,
    BulkSettings,
    DiskError,
    FolderError,
    FolderInUseError,
    InputChangedError,
    InputError,
    InvalidRowsError,
    Plan,
    Prices,
    Progress,
    Rejected,
    Summary,
    plan,
    run,
)
from nanobanana_async.bulk.report import write_report
from nanobanana_async.emulator import (
    Answer,
    ByResolution,
    Cut,
    Emulator,
    EmulatorCore,
    Episode,
    FailFast,
    Failure,
    Ledger,
    LimitChange,
    LogNormal,
    MemoryCourier,
    MemoryTransport,
    Mixture,
    Picture as DrawnPicture,
    Request,
    Reset,
    Service,
    ServiceModel,
    Settings,
    Silence,
    StalledError,
    Stalls,
    Stuck,
    VirtualTimeLoop,
    run_virtual,
)
from nanobanana_async.telemetry import Telemetry
from nanobanana_async.webhooks.aiohttp import webhook_handler
from nanobanana_async.webhooks.asgi import WebhookApp

Take: TypeAlias = Callable[[bytes, str], Awaitable[int | None]]

_logger = logging.getLogger(__name__)

KEY: Final = "sk-emulator"
SECRET: Final = "for this machine alone"  # noqa: S105 - of the emulator


# Errors: the first class in the table that an error is of says whom it concerns.

CONCERNS: Final[Mapping[type[NanoBananaError], str]] = {
    InvalidRequestError: "the customer: the wish breaks a rule",
    PermissionDeniedError: "the customer: the content is refused",
    AuthenticationError: "the account: the key is wrong",
    MissingKeyError: "the account: there is no key",
    InsufficientBalanceError: "the account: top it up",
    NotFoundError: "the account: no such model",
    RateLimitError: "nobody: later",
    ServerError: "nobody: later",
    APIStatusError: "the vendor",
    APIConnectionError: "the network",
    NotSubmittedError: "nobody: send it again, nothing was paid",
    QueueTimeoutError: "nobody: send it again, nothing was paid",
    SubmitUnknownError: "whoever looks through the account's tasks: it may have been paid for",
    TaskTimeoutError: "nobody: it goes on",
    TaskFailedError: "the customer: it failed",
    TaskStuckError: "the vendor, with the task's id",
    TaskNotFoundError: "the vendor, with the task's id",
    ResultUnreadableError: "the vendor, with the task's id",
    TaskError: "the vendor, with the task's id",
    DownloadError: "nobody: download it again, it is paid for",
    JournalInUseError: "whoever started this twice",
    JournalVersionError: "whoever updated this in the middle",
    JournalDamagedError: "whoever knows about the disk, and has the ids that could be read",
    JournalError: "whoever knows about the disk",
    ServiceTimesError: "nobody: they are learned anew",
    InvalidRowsError: "whoever wrote the file, with the rows",
    InputChangedError: "whoever changed the file",
    InputError: "whoever wrote the file",
    FolderInUseError: "whoever started this twice",
    FolderError: "whoever chose the folder",
    DiskError: "whoever knows about the disk",
    BulkError: "whoever started the run",
    ClientClosedError: "us: somebody closed the client",
    WrongLoopError: "us: a client is for one loop",
    ClientCrashedError: "the library's authors",
    NanoBananaError: "us",
}


def concerns(error: NanoBananaError) -> str:
    """Say whom an error concerns."""
    return next(CONCERNS[kind] for kind in type(error).__mro__ if kind in CONCERNS)


def mistakes(error: InvalidRequestError | InvalidRowsError) -> list[str]:
    """List what is to be mended, for the one who wrote it."""
    if isinstance(error, InvalidRowsError):
        rows: tuple[Rejected, ...] = error.rejected
        return [f"{row.key}: {field} {reason}" for row in rows for field, reason in row.faults]
    faults: tuple[FieldFault, ...] = error.faults
    return [f"{fault.field} must be {fault.allowed}" for fault in faults]


# What the library is given: a storage, a journal, a relay.


class Shelf:
    """A `Storage` in memory, as one over a bucket would be written."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}

    async def begin(self, name: str) -> Sink:
        """Begin a picture."""
        return Upload(self.pictures, name)


class Upload:
    """A `Sink`: the name shows the picture when it is whole."""

    def __init__(self, pictures: dict[str, bytes], name: str) -> None:
        self._pictures, self._name, self._content = pictures, name, bytearray()

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._content += chunk

    async def commit(self) -> None:
        """Show it."""
        self._pictures[self._name] = bytes(self._content)

    async def abort(self) -> None:
        """Forget what came."""
        self._content.clear()


class Audited:
    """A `Journal` that counts what goes into another one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.written: Counter[Kind] = Counter()

    async def open(self, take: Callable[[Record], None]) -> None:
        """Open the other one."""
        await self._journal.open(take)

    async def write(self, record: Record) -> None:
        """Return when the record is safe."""
        await self._journal.write(record)
        self.written[record.kind] += 1

    def note(self, record: Record) -> None:
        """Take a record that nobody waits for."""
        self._journal.note(record)
        self.written[record.kind] += 1

    async def aclose(self) -> None:
        """Close the other one."""
        await self._journal.aclose()


class Watched:
    """A `DeliveryRelay` that logs what another one hands on."""

    def __init__(self, relay: DeliveryRelay) -> None:
        self._relay = relay

    async def publish(self, body: bytes, token: str) -> int | None:
        """Offer a delivery, and log whether anybody took it."""
        status = await self._relay.publish(body, token)
        _logger.info("a delivery for another process: %s", status or "nobody took it")
        return status

    def subscribe(self, take: Take) -> Callable[[], None]:
        """Have `take` called with what others publish."""
        return self._relay.subscribe(take)


# One picture


def fit(prompt: str, model: str = "nano-banana-2") -> ImageRequest:
    """Make a wish as large and as long as the model allows."""
    spec: ModelSpec = MODELS[model]
    fields: RequestFields = {"aspect_ratio": "3:2", "model": model}
    if spec.resolutions:
        fields["resolution"] = spec.resolutions[-1]
    return ImageRequest(prompt[: spec.prompt_limit], **fields)


async def poster(client: NanoBananaClient, folder: Path) -> Path:
    """Draw a poster and put it into a folder."""
    result: ImageResult = await client.generate(fit("a lighthouse in a storm"), timeout=60)
    return await client.download(result, folder / "lighthouse.png")


async def followed(client: NanoBananaClient, shelf: Storage) -> Picture:
    """Submit, tell each state, and put the picture on the shelf."""
    task: Task = await client.submit("a cat", key="cat-1", output_format="jpeg")
    status: TaskStatus | None = None
    async for status in task.events():
        _logger.info("%s is %s", task.id, status.state)
    result = await task
    picture = await client.fetch(
        result.urls[0], shelf, "cat.jpeg", task_id=result.task_id, expected="jpeg"
    )
    task.acknowledge()  # it is in a safe place
    return picture


async def patient(client: NanoBananaClient) -> ImageResult | None:
    """Wait for a moment, say that it takes longer, and wait on."""
    try:
        return await client.generate("a slow ship", timeout=0.02)
    except QueueTimeoutError:
        return None
    except TaskTimeoutError as error:
        handle: TaskHandle | None = error.task
        return None if handle is None else await handle.result(timeout=60)


# Many


async def calendar(client: NanoBananaClient, folder: LocalFolder) -> Mapping[str, Picture | str]:
    """Draw twelve pages; by name the picture, or whom it concerns that there is none."""
    months = (ImageRequest(f"month {n}", key=f"month-{n}") for n in range(1, 13))
    pages: dict[str, Picture | str] = {}
    run_of_all: GenerateMany = client.generate_many(months, timeout=60)
    async with run_of_all as outcomes:
        async for outcome in outcomes:
            pages[str(outcome.key)] = await page(client, folder, outcome)
    return pages


async def page(client: NanoBananaClient, folder: LocalFolder, outcome: Outcome) -> Picture | str:
    """Put one page into the folder, and only then call it done."""
    if outcome.result is None:
        end: Picture | str = concerns(outcome.error) if outcome.error else "nobody"
    else:
        url, task_id = outcome.result.urls[0], outcome.result.task_id
        end = await client.fetch(url, folder, f"{outcome.key}.png", task_id=task_id)
    outcome.acknowledge()
    return end


async def left_by_a_crash(client: NanoBananaClient) -> int:
    """Bring home what an earlier process has paid for."""
    resumption: Resumption = client.resume()
    count = 0
    async for outcome in resumption:
        _logger.info("%s: %s", outcome.key, outcome.result or outcome.error)
        outcome.acknowledge()
        count += 1
    return count


# One client in a process, with all that it can be told


def service_times_of(path: Path) -> ServiceTimes | None:
    """Read what an earlier client has learned."""
    try:
        times = ServiceTimes.from_json(path.read_bytes())
    except (FileNotFoundError, ServiceTimesError):
        return None
    for (model, *_), table in times.classes.items():
        _logger.info("%s: some %.0f tasks were seen to end", model, ended(table))
    return times


def ended(table: ClassTimes) -> float:
    """Count the tasks that a table was learned from; old ones count for less."""
    return sum(table.ends)


def figures(now: Statistics) -> str:
    """Put a client into one line."""
    return f"{now.in_flight} run, {now.queued} wait, {now.checks_per_task:.1f} looks a task"


@asynccontextmanager
async def shop(url: str, folder: Path) -> AsyncGenerator[tuple[NanoBananaClient, Audited], None]:
    """Open the client, with a receiver of its webhooks and all else that it can be given."""
    journal = Audited(SqliteJournal(folder / "journal.db", forget_after=7 * 86_400.0))
    times = folder / "service_times.json"
    opened: list[NanoBananaClient] = []
    async with hooks(lambda: next(iter(opened), None)) as public_url:
        async with NanoBananaClient(
            KEY,
            base_url=url,
            limits=Limits(optimistic=True).share(1, of=2),
            polling=Polling(service_times=service_times_of(times)),
            journal=journal,
            webhooks=Webhooks(public_url=public_url, secret=SECRET, relay=Watched(LocalRelay())),
            telemetry=Telemetry(),
        ) as client:
            opened.append(client)
            yield client, journal
        times.write_text(client.service_times().to_json())


@asynccontextmanager
async def hooks(find: Callable[[], NanoBananaClient | None]) -> AsyncGenerator[str, None]:
    """Serve the receiver, and say where."""
    app = web.Application()
    app.router.add_post("/hooks/{token}", webhook_handler(find))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/hooks"
    finally:
        await runner.cleanup()


def asgi(client: NanoBananaClient) -> WebhookApp:
    """Make the same receiver for FastAPI, Starlette, Litestar or Quart."""
    return WebhookApp(client)


async def by_hand(receiver: WebhookReceiver) -> int:
    """Deliver from any other framework; here with a token that is none."""
    return await receiver.deliver(b"{}", "no-token")


# A file of prompts


def price_of(rows: Path, folder: Path, settings: BulkSettings) -> Decimal | None:
    """Look before you buy: nothing is sent."""
    would: Plan = plan(rows, folder, settings=settings)
    _logger.info("%d rows, %.0f s, %s", would.to_submit, would.seconds, would.money)
    return would.money


async def catalogue(url: str, folder: Path) -> Summary:
    """Draw each row of a file once, and write the page to look through."""
    rows, place, progress = folder / "rows.csv", folder / "catalogue", Progress()
    await asyncio.to_thread(rows.write_text, "key,prompt\nmug,a mug\nvase,a vase\n")
    settings = BulkSettings(prices=Prices.parse("0.04"), budget=Decimal(1), report=False)
    await asyncio.to_thread(price_of, rows, place, settings)
    summary = await run(
        rows, place, settings=settings, progress=progress, api_key=KEY, base_url=url
    )
    page_of_all = await asyncio.to_thread(write_report, place)
    _logger.info("%d of %d are drawn: %s", progress.done, summary.rows, page_of_all)
    return summary


# A rehearsal: an hour of trouble within a moment, without a network


class Mondays:
    """A `ServiceModel` of one's own: every tenth task is refused for its content."""

    def __init__(self, usual: ServiceModel) -> None:
        self._usual = usual

    def draw(self, rng: Random, resolution: str) -> Service:
        """Draw for one task."""
        if rng.random() < 1 / 10:
            return Service(1.0, Failure("CONTENT_VIOLATION", "not on a Monday"))
        return self._usual.draw(rng, resolution)


def account() -> EmulatorCore:
    """Make an account that has a bad day, the same one at every run."""
    mixture = Mixture([0.95, 0.03, 0.02], [LogNormal(15.0), FailFast(2.0), Stuck(300.0)])
    usual = ByResolution({"1K": mixture, "2K": LogNormal(24.0), "4K": LogNormal(40.0)})
    return EmulatorCore(
        Settings(
            seed=7,
            service=Mondays(usual),
            faults={"submit_lost": 0.01, "callback_lost": 0.05},
            episodes=[Episode("any_502", start=60.0, length=20.0)],
            limit_changes=[LimitChange(start=120.0, length=60.0, concurrent_tasks=50)],
        ),
        epoch=1_800_000_000,
    )


async def rehearsal(count: int = 200) -> tuple[Counter[str], Ledger]:
    """Count what becomes of so many wishes on that day, and return what the server saw."""
    core, loop = account(), asyncio.get_running_loop()
    ends: Counter[str] = Counter()
    async with NanoBananaClient(
        transport=MemoryTransport(core, round_trip=0.2, stalls=Stalls(period=60.0, length=2.0)),
        base_url="http://127.0.0.1",
        webhooks=Webhooks(public_url="http://127.0.0.1/hooks", secret=SECRET),
    ) as client:

        async def receive(url: str, body: bytes) -> int:
            return await client.webhooks.deliver(body, url.rpartition("/")[2])

        async with MemoryCourier(core, receive, round_trip=0.2):
            async for outcome in client.generate_many(f"cat {n}" for n in range(count)):
                ends[concerns(outcome.error) if outcome.error else "done"] += 1
    return ends, core.ledger(loop.time())


def hangs() -> bool:
    """Tell whether a test would have waited for ever."""

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    try:
        run_virtual(wait())
    except StalledError:
        return True
    return False


def asked_by_hand() -> str:
    """Say what the server does with one request, without a client."""
    headers = {"authorization": f"Bearer {KEY}"}
    request = Request("GET", "/api/v1/apikeys/current-balance", {}, headers, b"")
    _, outcome = account().handle(0.0, request)
    match outcome:
        case Answer(status=status):
            return f"answers {status}"
        case DrawnPicture(width=width, height=height):
            return f"draws {width} x {height} pixels"
        case Reset() | Cut():
            return "breaks off"
        case Silence():
            return "says nothing"


async def day(folder: Path) -> tuple[Counter[Kind], Summary]:
    """Spend a day in the shop, against an emulator that is a hundred times as fast."""
    async with Emulator(speed=100.0, seed=7) as emulator:
        async with shop(emulator.url, folder) as (client, journal):
            receiver = asgi(client)
            _logger.info("%s, left from before: %d", receiver, await left_by_a_crash(client))
            pages = LocalFolder(folder / "calendar", spare=0)
            await asyncio.gather(
                poster(client, folder),
                followed(client, Shelf()),
                patient(client),
                calendar(client, pages),
            )
            _logger.info(
                "%s; a forged delivery: %d",
                figures(client.statistics()),
                await by_hand(client.webhooks),
            )
            try:
                await client.generate("", aspect_ratio="3:3")
            except InvalidRequestError as error:
                _logger.info("%s: %s", concerns(error), mistakes(error))
        return journal.written, await catalogue(emulator.url, folder)


def main() -> None:
    """Rehearse, then open the shop."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _logger.info("nanobanana-async %s: the server %s", __version__, asked_by_hand())
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        ends, ledger = runner.run(rehearsal())
    _logger.info("rehearsed: %s, %d at once at most", dict(ends), ledger.most_tasks)
    _logger.info("a test that hangs is found: %s", hangs())
    with TemporaryDirectory() as folder:
        written, summary = asyncio.run(day(Path(folder)))
    _logger.info("written down: %s", {kind.value: count for kind, count in written.items()})
    _logger.info("drawn from the file: %s", dict(summary.states))


if __name__ == "__main__":
    main()
