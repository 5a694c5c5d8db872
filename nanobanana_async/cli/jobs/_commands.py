"""From the options of the commands about single pictures to a run of jobs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from nanobanana_async import ImageRequest, NanoBananaClient
from nanobanana_async.cli._client_options import check_model, client_of, typed_again
from nanobanana_async.cli._command import debugging
from nanobanana_async.cli._display import in_terminal
from nanobanana_async.cli._output import complain
from nanobanana_async.cli._request_options import fields_of
from nanobanana_async.cli._signals import postponed
from nanobanana_async.cli.jobs._display import live_display, still_display
from nanobanana_async.cli.jobs._end import JobsEnd
from nanobanana_async.cli.jobs._follow import Following
from nanobanana_async.cli.jobs._ids import named_if_refused, task_ids_of
from nanobanana_async.cli.jobs._job import ASKED, End, Job
from nanobanana_async.cli.jobs._place import Place, place_of
from nanobanana_async.cli.jobs._requests import requests_of
from nanobanana_async.cli.jobs._run import JobsRun

_MOST_SHOWN: Final = 5
"""Pictures that are opened one by one; of more, their folder is."""

_Work = Callable[[Following, Job], Awaitable[None]]


def generate(ctx: click.Context) -> int:
    """Make the pictures of prompts; return the exit code."""
    place = place_of(ctx.params["out"])
    requests, client = _requests(ctx.params, place.output_format)
    place.prepare(len(requests))
    jobs = [Job(request) for request in requests]
    return _run(ctx, jobs, Following(client, place), Following.generate)


def submit(ctx: click.Context) -> int:
    """Submit prompts; return the exit code."""
    requests, client = _requests(ctx.params, None)
    jobs, following = [Job(request) for request in requests], Following(client, Place(Path()))
    return _run(ctx, jobs, following, Following.submit, wanted=End.RUNNING)


def wait(ctx: click.Context) -> int:
    """Wait for tasks and fetch their pictures; return the exit code."""
    return _known(ctx, Following.wait)


def download(ctx: click.Context) -> int:
    """Fetch the pictures of finished tasks; return the exit code."""
    return _known(ctx, Following.download)


def _requests(
    given: Mapping[str, Any], output_format: str | None
) -> tuple[list[ImageRequest], NanoBananaClient]:
    """Return what is asked for, and a client for it."""
    fields = {"output_format": output_format} | fields_of(given)
    client = client_of(given)
    requests = requests_of(given["prompts"], fields, client)
    if output_format not in (None, requests[0].output_format):
        asked = given["output_format"]
        raise click.UsageError(f"--output-format {asked}, but {given['out']} is no such name")
    return requests, client


def _known(ctx: click.Context, work: _Work) -> int:
    given = ctx.params
    with postponed():
        task_ids = task_ids_of(ctx)  # first: whoever writes them has paid for them
        with named_if_refused(ctx, task_ids):
            client, place = client_of(given), place_of(given["out"])
            check_model(given["model"])
            place.prepare(len(task_ids))
        jobs = [Job(task_id=task_id, state=ASKED) for task_id in task_ids]
        return _run(ctx, jobs, Following(client, place, given["model"]), work)


def _run(
    ctx: click.Context,
    jobs: Sequence[Job],
    following: Following,
    work: _Work,
    *,
    wanted: End = End.SUCCEEDED,
) -> int:
    given = ctx.params
    moves = in_terminal() and not (given["quiet"] or given["as_json"])
    display = live_display() if moves else still_display(quiet=given["quiet"])
    end = JobsEnd(
        wanted=wanted,
        as_json=given["as_json"],
        above=display.say if moves else None,
        debug=debugging(ctx),
        again=typed_again(ctx),
    )
    run = JobsRun(following.client, jobs, display, end, given["timeout"])
    code = asyncio.run(run.run(partial(work, following)))
    if given.get("show"):
        _show([file for job in jobs for file in job.files])
    return code


def _show(files: Sequence[Path]) -> None:
    """Open pictures in what this machine shows pictures with."""
    for path in files if len(files) <= _MOST_SHOWN else [files[0].parent]:
        if click.launch(str(path)) != 0:
            complain(f"{path} is there, and cannot be shown: no program for it was found.")
            return
