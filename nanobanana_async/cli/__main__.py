"""`python -m nanobanana_async.cli` is the same as `nanobanana`."""

from nanobanana_async.cli import main

main()
