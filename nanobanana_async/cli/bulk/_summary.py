"""What a bulk run, or its plan, comes to, in words and as JSON; pure."""

import json
from collections.abc import Iterable

from nanobanana_async.bulk import Plan, Summary
from nanobanana_async.cli._words import counted, duration

_WORDS = {
    "succeeded": "have their pictures",
    "failed": "failed at the API (--retry-failed submits them anew)",
    "refused": "were refused, nothing was paid for them",
    "unknown": "are unknown and may be paid for (--retry-unknown submits them anew)",
    "stuck": "are not finished yet; the next run looks again",
    "not_found": "are not known to the API any more; the next run looks again",
    "unreadable": "have no readable result; the next run looks again",
    "download_failed": "could not be downloaded; the next run fetches them again",
}


def summary_text(summary: Summary) -> str:
    """Sum up a run in a few lines."""
    lines = [f"{counted(summary.rows)}:"]
    for state, words in _WORDS.items():
        if summary.states[state]:
            lines.append(f"  {summary.states[state]:>8,}  {words}")
    if summary.unsent:
        lines.append(f"  {summary.unsent:>8,}  were not submitted")
    if summary.rejected:
        lines.append(f"Left out: {summary.rejected:,}, which break a rule; see rejected.jsonl")
    if summary.spent:
        lines.append(f"Spent, by the price given: {summary.spent}")
    if summary.report:
        lines.append(f"Look at {summary.report}")
    return "\n".join(lines)


def summary_json(summary: Summary) -> str:
    """Sum up a run in one JSON object."""
    return json.dumps(
        {
            "event": "summary",
            "rows": summary.rows,
            "states": dict(summary.states),
            "unsent": summary.unsent,
            "rejected": summary.rejected,
            "spent": str(summary.spent),
            "budget_reached": summary.budget_reached,
            "stopped": summary.stopped,
            "error": str(summary.stopped_by) if summary.stopped_by else None,
            "report": str(summary.report) if summary.report else None,
        }
    )


def plan_text(plan: Plan, *, as_json: bool) -> str:
    """Say what a run would take."""
    if as_json:
        return json.dumps(
            {
                "event": "plan",
                "rows": plan.rows,
                "invalid": plan.invalid,
                "done": plan.done,
                "again": plan.again,
                "to_submit": plan.to_submit,
                "seconds": plan.seconds,
                "money": None if plan.money is None else str(plan.money),
                "spent": None if plan.spent is None else str(plan.spent),
                "over_budget": plan.over_budget,
            }
        )
    return "\n".join(_plan_lines(plan))


def _plan_lines(plan: Plan) -> Iterable[str]:
    yield f"rows      {plan.rows:,}"
    if plan.invalid:
        yield f"invalid   {plan.invalid:,}, left out"
    if plan.done:
        yield f"done      {plan.done:,} in earlier runs"
    again = f", {plan.again:,} of them anew, each a new charge" if plan.again else ""
    yield f"to submit {plan.to_submit:,}{again}"
    yield f"time      about {duration(plan.seconds)}, by the limits and usual service times"
    if plan.money is not None:
        yield f"money     {plan.money}"
    if plan.spent:
        yield f"spent     {plan.spent} in earlier runs"
    if plan.over_budget:
        yield "The budget does not reach for all of them."
