"""From the options of `nanobanana bulk` to what the library takes."""

from collections.abc import Mapping
from typing import Any, Final

import click

from nanobanana_async import Limits, NanoBananaClient
from nanobanana_async.bulk import BulkSettings, Prices

_DEFAULTS: Final = ("aspect_ratio", "resolution", "output_format", "provider")


def settings_of(options: Mapping[str, Any]) -> BulkSettings:
    """Return the settings of the run.

    Raises:
        click.UsageError: an option makes no sense.
    """
    defaults = {name: options[name] for name in _DEFAULTS if options[name] is not None}
    if options["google_search"]:
        defaults["google_search"] = True
    if options["image_urls"]:
        defaults["image_urls"] = list(options["image_urls"])
    try:
        return BulkSettings(
            format=options["form"],
            model=options["model"],
            defaults=defaults,
            skip_invalid=options["skip_invalid"],
            accept_changed=options["accept_changed"],
            retry_failed=options["retry_failed"],
            retry_unknown=options["retry_unknown"],
            attempts=options["attempts"],
            prices=Prices.parse(options["price"]) if options["price"] is not None else None,
            budget=options["budget"],
            download_concurrency=options["download_concurrency"],
            metadata=options["metadata"],
            report=not options["no_report"],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def limits_of(options: Mapping[str, Any]) -> Limits:
    """Return the account's limits."""
    return Limits(options["requests_per_minute"], options["concurrent_tasks"])


def client_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the client's options, seen to make sense before all rows are looked at.

    Raises:
        MissingKeyError: there is no API key.
        click.UsageError: an option makes no sense.
    """
    client = {
        "limits": limits_of(options),
        "base_url": options["base_url"],
        "proxy": options["proxy"],
        "private_hosts": options["private_hosts"],
    }
    try:
        NanoBananaClient(**client)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return client
