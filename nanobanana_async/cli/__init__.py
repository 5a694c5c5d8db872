"""The command `nanobanana`: click's options in front of the library's public parts.

Only click is imported before a command has been chosen, so that `--help` answers at once.
"""

import sys

from nanobanana_async.cli._extras import missing_extra

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run the command line; ends with SystemExit."""
    try:
        # Late, so that a missing extra ends in a line that says what to install.
        from nanobanana_async.cli._group import nanobanana  # noqa: PLC0415

        nanobanana.main(prog_name="nanobanana")
    except KeyboardInterrupt:  # while it was still being imported
        sys.exit(_INTERRUPTED)
    except ModuleNotFoundError as error:
        advice = missing_extra(error)
        if advice is None:
            raise
        sys.exit(advice)
