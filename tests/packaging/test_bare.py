"""The wheel in an environment with nothing but its five dependencies."""

import json

from .environment import Environment

# A web server that accepts one picture and has it ready at the first look: the emulator would need
# an extra.
CLIENT = """
import asyncio, json
from aiohttp import web
from nanobanana_async import NanoBananaClient

def answer(data):
    return web.json_response({"code": 200, "message": "success", "data": data})

async def submit(request):
    return answer({"taskId": "task-1"})

async def status(request):
    pictures = json.dumps({"resultUrls": ["https://pictures.invalid/cat.png"]})
    return answer({"taskId": "task-1", "state": "success", "resultJson": pictures})

async def main():
    app = web.Application()
    app.router.add_post("/{root:.*}/generateTask/nano-banana-2", submit)
    app.router.add_get("/{root:.*}/statusTask/nano-banana-2", status)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = "http://127.0.0.1:%d" % runner.addresses[0][1]
    async with NanoBananaClient("sk-bare", base_url=url) as client:
        print((await client.generate("a cat")).urls[0])
    await runner.cleanup()

asyncio.run(main())
"""

DEPENDENCIES = "import aiohttp, attrs, cattrs, aiolimiter, anyio"
OURS = "from nanobanana_async import NanoBananaClient"


def test_only_what_was_asked_for_is_there(bare: Environment) -> None:
    listed = json.loads(bare.run("python", "-m", "pip", "list", "--format", "json").stdout)
    names = {package["name"].lower() for package in listed}
    assert names >= {"nanobanana-async", "aiohttp", "aiolimiter", "anyio", "attrs", "cattrs"}
    assert not names & {"click", "rich", "pillow", "filelock", "opentelemetry-api", "pytest"}
    assert bare.run("python", "-m", "pip", "check").returncode == 0


def test_a_client_works(bare: Environment) -> None:
    assert bare.python(CLIENT, "-W", "error") == "https://pictures.invalid/cat.png\n"


def test_imports_warn_of_nothing(bare: Environment) -> None:
    code = "import nanobanana_async as n; [getattr(n, name) for name in n.__all__]; import nanobanana_async."
    for module in ("webhooks.asgi", "webhooks.aiohttp", "cli"):
        assert bare.python(code + module, "-W", "error") == ""


def test_the_command_says_what_to_install(bare: Environment) -> None:
    done = bare.run("nanobanana", "--help")
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "pip install 'nanobanana-async[cli" in line


def test_importing_it_costs_little_more_than_importing_what_it_needs(bare: Environment) -> None:
    needed, ours = bare.costs(("python", "-c", DEPENDENCIES), ("python", "-c", OURS))
    assert ours / needed <= 1.25, f"{ours:.3f} s, what it needs {needed:.3f} s"
