"""The web app: `uvicorn fastapi_app.app:app`. See docs/howto/web-backends.md."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from http import HTTPStatus
from math import ceil
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field
from starlette.types import Scope

from nanobanana_async import NanoBananaClient, NanoBananaError
from nanobanana_async.webhooks.asgi import WebhookApp

from .problems import PROBLEMS, code_of
from .service import HOOKS, Service, Settings, serving
from .store import Job

T = TypeVar("T")

PAGE = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Own the client: one in a process, for as long as the app runs."""
    async with serving(Settings.from_environment()) as service:
        app.state.service = service
        yield
        app.state.service = None


# Its own pages of documentation load scripts from elsewhere.
app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None)
app.state.service = None


def the_service(request: Request) -> Service:
    """What the lifespan opened."""
    service: Service = request.app.state.service
    return service


async def the_job(job_id: UUID, service: Annotated[Service, Depends(the_service)]) -> Job:
    """Find the job that a path names. Its id is random: who knows it may see it."""
    job = await service.jobs.find(str(job_id))
    if job is None:
        raise HTTPException(404, "No such job")
    return job


def same_site(sec_fetch_site: Annotated[str | None, Header()] = None) -> None:
    """Draw nothing for other people's pages. They cannot post JSON without asking, either."""
    if sec_fetch_site not in (None, "none", "same-origin"):
        raise HTTPException(403, "Only for this site's own pages")


AService = Annotated[Service, Depends(the_service)]


class Order(BaseModel):
    """What a browser asks for."""

    prompt: str = Field(min_length=1, max_length=20_000, pattern=r"\S")
    id: UUID | None = None
    """Made up by the browser: sent again with the same one, a job is drawn and paid once."""


class RefusedError(Exception):
    """Something that is no error of the client, and is told like one."""

    def __init__(self, code: str, retry_after: float = 5.0, job: Job | None = None) -> None:
        super().__init__(code)
        self.code, self.retry_after, self.job = code, retry_after, job


# Awaiting


@app.post("/images", dependencies=[Depends(same_site)])
async def draw(order: Order, request: Request, service: AService) -> dict[str, Any]:
    """Draw one picture now, and answer when it is there."""
    check_wait(service, bulk=False)
    job_id = str(uuid4())
    submit = service.client.submit(order.prompt, key=job_id)
    task = await unless_gone(request, submit)  # in line: whoever leaves now is withdrawn
    job = await unless_gone(request, service.jobs.follow(job_id, task))  # paid for: kept anyway
    if job.state == "failed":
        raise RefusedError(job.problem or "failed", job=job)
    if job.state != "done":
        raise RefusedError("restarting", job=job)
    return shown(job)


# Jobs


@app.post("/jobs", status_code=202, dependencies=[Depends(same_site)])
async def add(order: Order, response: Response, service: AService) -> dict[str, Any]:
    """Take on a job, and answer at once with its id."""
    job_id = str(order.id or uuid4())
    job = await service.jobs.find(job_id)
    if job is None:
        check_wait(service, bulk=True)
        job = await service.jobs.add(job_id, order.prompt)
    if job.prompt != order.prompt:
        raise HTTPException(409, "This id belongs to another job")
    response.headers["Location"] = f"/jobs/{job_id}"
    return shown(job)


@app.get("/jobs/{job_id}")
async def state(job: Annotated[Job, Depends(the_job)]) -> dict[str, Any]:
    """Tell what has become of a job."""
    return shown(job)


@app.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
async def events(
    job: Annotated[Job, Depends(the_job)], service: AService
) -> AsyncIterator[ServerSentEvent]:
    """Tell it as it happens. Who comes back is told the state of that moment: it is all there is."""
    async for now in service.jobs.changes(job.id):
        job = now
        yield ServerSentEvent(event="state", data=shown(job), retry=2_000)
    if not job.over:
        yield ServerSentEvent(event="restart", data={})


@app.get("/jobs/{job_id}/picture", response_class=FileResponse)
async def picture(job: Annotated[Job, Depends(the_job)], service: AService) -> FileResponse:
    """Hand out the picture of a job."""
    if job.state != "done":
        raise HTTPException(404, "There is no picture")
    headers = {
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return FileResponse(service.jobs.picture(job), media_type="image/png", headers=headers)


def shown(job: Job) -> dict[str, Any]:
    """What a browser sees of a job."""
    problem = PROBLEMS.get(job.problem or "")
    return {
        "id": job.id,
        "prompt": job.prompt,
        "state": job.state,
        "seconds": round(job.seconds, 1),
        "picture": f"/jobs/{job.id}/picture" if job.state == "done" else None,
        "error": problem and {"code": job.problem, "message": problem.message},
    }


# When it goes wrong


def check_wait(service: Service, *, bulk: bool) -> None:
    """Turn people away while the line is too long, instead of letting them wait for nothing."""
    too_long = service.client.expected_wait(bulk=bulk) - service.longest_wait
    if too_long > 0:
        raise RefusedError("busy", too_long)


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, and cancel it when the browser goes away: frameworks do not do that."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    tasks = asyncio.create_task(work), asyncio.create_task(gone())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            return await tasks[0]
        raise HTTPException(499, "The browser went away")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@app.exception_handler(NanoBananaError)
async def on_error(request: Request, error: NanoBananaError) -> JSONResponse:
    """Answer what the client raised."""
    return await on_refused(request, RefusedError(code_of(error)))


@app.exception_handler(RefusedError)
async def on_refused(_: Request, error: RefusedError) -> JSONResponse:
    """Answer with the status of a problem, in words for people."""
    status, message = PROBLEMS[error.code]
    content = {
        "error": {"code": error.code, "message": message},
        "job": error.job and f"/jobs/{error.job.id}",
    }
    headers = (
        {"Retry-After": str(ceil(error.retry_after))}
        if status == HTTPStatus.SERVICE_UNAVAILABLE
        else {}
    )
    return JSONResponse(content, status, headers)


# The page, and what the API tells


class Page(StaticFiles):
    """Files with a policy: no script but ours, and nothing from elsewhere."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Add the headers to each of them."""
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def receiver() -> NanoBananaClient | None:
    """The client that takes deliveries; the API has them come again while there is none."""
    service: Service | None = app.state.service
    return service.client if service and service.webhooks else None


app.mount(HOOKS, WebhookApp(receiver))
app.mount("/", Page(directory=PAGE, html=True))
