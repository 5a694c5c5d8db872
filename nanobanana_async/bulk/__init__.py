"""Bulk generation from a file: every row once, paid once, and a page to look through.

``nanobanana bulk prompts.csv -o run`` on the command line, `run` in a program. Called again, it goes
on where it was, whatever ended it.
"""

from nanobanana_async.bulk._errors import (
    BulkError,
    DiskError,
    FolderError,
    FolderInUseError,
    InputChangedError,
    InputError,
    InvalidRowsError,
    Rejected,
)
from nanobanana_async.bulk._plan import Plan, plan
from nanobanana_async.bulk._prices import Prices
from nanobanana_async.bulk._progress import Progress, Summary
from nanobanana_async.bulk._run import run
from nanobanana_async.bulk._settings import BulkSettings

__all__ = [
    "BulkError",
    "BulkSettings",
    "DiskError",
    "FolderError",
    "FolderInUseError",
    "InputChangedError",
    "InputError",
    "InvalidRowsError",
    "Plan",
    "Prices",
    "Progress",
    "Rejected",
    "Summary",
    "plan",
    "run",
]
