"""`python -m fastapi_app`: the whole of it on this machine, without an account and without cost."""

import asyncio
import os
import sys
from contextlib import suppress
from tempfile import TemporaryDirectory

import uvicorn

from nanobanana_async.emulator import Emulator

PORT = 8000


async def main() -> None:
    """Serve the app, against an emulator of the API that also sends it its webhooks."""
    # Both forget everything in the end: a journal would look for tasks that nobody knows.
    with TemporaryDirectory() as folder:
        async with Emulator(speed=2, full_size=True) as emulator:
            os.environ |= {
                "APIXO_API_KEY": "sk-emulator",
                "APIXO_BASE_URL": emulator.url,
                "DATA_FOLDER": folder,
                "PUBLIC_URL": f"http://127.0.0.1:{PORT}",
                "WEBHOOK_SECRET": "a secret for this machine alone",
            }
            sys.stdout.write(f"Open http://127.0.0.1:{PORT}/ in a browser. Stop it with Ctrl-C.\n")
            config = uvicorn.Config("fastapi_app.app:app", port=PORT, log_level="warning")
            await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
