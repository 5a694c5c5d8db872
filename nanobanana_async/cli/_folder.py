"""The folder that pictures go to, seen to be one before anything is paid for."""

from pathlib import Path
from tempfile import TemporaryFile

import click


def make_folder(folder: Path) -> None:
    """Make the folder, and find out now whether it can be written to.

    Raises:
        click.UsageError: it cannot, or it is none.
    """
    if folder.exists() and not folder.is_dir():
        raise click.UsageError(f"{folder} is a file, not a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise click.UsageError(f"cannot write into {folder}: {error.strerror}") from None
