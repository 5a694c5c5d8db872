"""OpenTelemetry's traces and metrics of a client. Needs the package `opentelemetry-api`.

``NanoBananaClient(telemetry=Telemetry())`` is all; where they go is up to the program's OpenTelemetry
SDK. Without one nothing is recorded, at next to no cost.

A generation is one span, from the call to what became of it, whose parent is the span in which the
call was made. Below it stands one child for each stage:

- ``queued``: it waits in line, for a slot and the rate;
- ``submitted``: its submit is on the way, until the API has answered;
- ``running``: from the API's acceptance to the end of the task, by the API's clock;
- ``detected``: from that end until the client has seen it;
- ``unknown``: the submit's answer was lost, and a webhook may still tell of it;
- ``downloaded``: one of its pictures was fetched. A child of the span in which the download was
  called for, with a link to the generation's; of the generation's where there is none.

Children rather than events: each stage lasts, and how long is the question; besides, OpenTelemetry
is giving up the events of spans. A submit that was refused for now leads back to ``queued``.

A call that is cancelled ends its span, though the task may run on. One whose time is over does not:
the span goes on to the end of the task, as does that of `submit`, and that of what a
`generate_many` left running. A span that ends in an error has `error.type` and the status ERROR. No
span holds a prompt, a URL, what the API said, or the key.
"""

try:
    import opentelemetry.metrics  # noqa: F401 - the question is whether it is there
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "nanobanana_async.telemetry needs opentelemetry-api. Install it with: "
        "pip install 'nanobanana-async[telemetry]'",
        name=error.name,
    ) from None

from nanobanana_async.telemetry._telemetry import Telemetry

__all__ = ["Telemetry"]

Telemetry.__module__ = __name__
