"""`nanobanana doctor`: options only; the checks are in `doctor/_run.py`."""

from typing import Final

import click

from nanobanana_async.cli._client_options import address_options
from nanobanana_async.cli._command import Command, debugging

_EXAMPLES: Final = """\b
Examples:
  nanobanana doctor
  nanobanana doctor --base-url http://127.0.0.1:8787
  nanobanana doctor --json > doctor.json
It costs nothing: the account is asked for its balance, three times at most.
The key is read from APIXO_API_KEY and never shown.

\b
Exit codes: 0 all is well, or warnings only; 1 a check failed; 2 options are
wrong.
"""


@click.command(cls=Command, short_help="Check key, network, clock and limits.", epilog=_EXAMPLES)
@address_options
@click.option("--json", "as_json", is_flag=True, help="The checks as one JSON object.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 600),
    default=10.0,
    show_default=True,
    help="For all that the network is asked.",
)
def doctor(base_url: str | None, proxy: str | None, as_json: bool, timeout: float) -> int:
    """Find out what keeps pictures from coming: one line a check, and what to do.

    Looks at versions, the key, the API's address, proxy, name resolution, connection, TLS, clock
    and account, and whether the API's limits can be reached from here.
    """
    # Late, since --help needs none of it.
    from nanobanana_async.cli.doctor._run import Wishes, run  # noqa: PLC0415

    debug = debugging(click.get_current_context())
    return run(Wishes(base_url, proxy, timeout, as_json=as_json, debug=debug))
