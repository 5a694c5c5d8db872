"""The options that make a request: all fields of ImageRequest. Imports click only."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from nanobanana_async.cli._command import F, options

_FIELDS: Final = (
    "model",
    "aspect_ratio",
    "resolution",
    "output_format",
    "provider",
    "mode",
    "callback_url",
    "key",
    "google_search",
    "image_urls",
    "image_files",
    "extra",
)


def _one_of(attribute: str) -> Callable[..., list[CompletionItem]]:
    """Complete what some model takes."""

    def complete(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
        from nanobanana_async import MODELS  # noqa: PLC0415 - slow, not for --help

        known = (value for spec in MODELS.values() for value in getattr(spec, attribute))
        return [CompletionItem(value) for value in dict.fromkeys(known) if value.startswith(begun)]

    return complete


def _models(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    from nanobanana_async import MODELS  # noqa: PLC0415 - slow, not for --help

    return [CompletionItem(model) for model in MODELS if model.startswith(begun)]


def model(
    text: str = "nano-banana-2, or nano-banana.", default: str | None = None
) -> Callable[[F], F]:
    """Return `--model`."""
    return click.option(
        "--model",
        metavar="NAME",
        default=default,
        show_default=default is not None,
        shell_complete=_models,
        help=text,
    )


def _choice(name: str, metavar: str, attribute: str, text: str) -> Callable[[F], F]:
    return click.option(name, metavar=metavar, shell_complete=_one_of(attribute), help=text)


# Each takes its help: what holds where it is not given, its command says.
aspect_ratio = partial(_choice, "--aspect-ratio", "W:H", "aspect_ratios")
resolution = partial(_choice, "--resolution", "SIZE", "resolutions")
output_format = partial(_choice, "--output-format", "FORMAT", "output_formats")
provider = partial(_choice, "--provider", "NAME", "providers")

request_options = options(
    aspect_ratio("Such as 3:2, 16:9, 1:1; auto if not given."),
    resolution("1K, 2K or 4K; 1K if not given."),
    output_format("png or jpeg; if not given as a FILE's name ends, else png."),
    click.option(
        "--image-url",
        "image_urls",
        metavar="URL",
        multiple=True,
        help="Reference image; may be repeated.",
    ),
    click.option(
        "--image-file",
        "image_files",
        metavar="FILE",
        type=click.Path(path_type=Path),
        multiple=True,
        help="Local reference image, sent as a data: URL. The vendor does not document this: "
        "it may be refused.",
    ),
    model(),
    provider("auto, value or official; auto if not given."),
    click.option("--google-search", is_flag=True, help="Let the model search."),
    click.option("--mode", metavar="MODE", help="text-to-image or image-to-image; by the images."),
    click.option("--callback-url", metavar="URL", help="The API posts the end of the task there."),
    click.option("--key", metavar="NAME", help="Your own name for the picture; not sent."),
    click.option(
        "--extra", metavar="JSON", help="Object of more input fields, sent without a check."
    ),
)


def fields_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of a request that were given, and `image_files`.

    Empty texts too, for the rules to refuse: a variable of the shell that is not set is no default.
    """
    return {name: given[name] for name in _FIELDS if given[name] not in (None, False, ())}
