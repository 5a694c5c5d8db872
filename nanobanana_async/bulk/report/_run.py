"""What a run was asked to do: run.json, any part of which may be missing."""

from pathlib import Path

from attrs import frozen

from nanobanana_async.bulk.report._tolerant import number, parsed, text


@frozen
class Run:
    """The settings that a page shows."""

    input: str | None = None
    rows: float | None = None
    requests_per_minute: float | None = None
    concurrent_tasks: float | None = None

    def limit(self, service_time: float | None) -> float | None:
        """Tasks a second that the account's limits allow.

        Each task takes two requests at least, the submit and one look, and a place for as long as
        it runs.
        """
        limits = []
        if self.requests_per_minute:
            limits.append(self.requests_per_minute / 60 / 2)
        if self.concurrent_tasks and service_time:
            limits.append(self.concurrent_tasks / service_time)
        return min(limits, default=None)


def read_run(folder: Path) -> Run:
    """Read run.json; an empty Run where there is none that can be read."""
    try:
        found = parsed((folder / "run.json").read_bytes()) or {}
    except FileNotFoundError:
        found = {}
    return Run(
        input=text(found.get("input")),
        rows=number(found.get("rows")),
        requests_per_minute=number(found.get("requests_per_minute")),
        concurrent_tasks=number(found.get("concurrent_tasks")),
    )
