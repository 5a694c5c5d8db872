"""A throw-away application: fills a folder with pictures, and goes on where it was."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from nanobanana_async import NanoBananaClient, NanoBananaError, TaskTimeoutError


async def page(client: NanoBananaClient, prompt: str, path: Path, patience: float = 60.0) -> str:
    """Fill one page; what became of it, in a word."""
    if path.exists():
        return "there"
    try:
        result = await client.generate(prompt, timeout=patience)
    except TaskTimeoutError as error:
        path.with_suffix(".task").write_text(str(error.task_id))
        return "later"
    except NanoBananaError as error:
        return type(error).__name__
    await client.download(result, path)
    return "new"


async def fill(client: NanoBananaClient, folder: Path, prompts: Iterable[str]) -> list[str]:
    """Fill a page for each prompt, all at once."""
    pages = (page(client, text, folder / f"{n}.png") for n, text in enumerate(prompts))
    return await asyncio.gather(*pages)


def main(folder: Path, prompts: Iterable[str]) -> list[str]:
    """Do so with a client of its own, as a program does."""

    async def with_a_client() -> list[str]:
        async with NanoBananaClient() as client:
            return await fill(client, folder, prompts)

    return asyncio.run(with_a_client())
