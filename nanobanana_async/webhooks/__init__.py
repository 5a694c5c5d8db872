"""Receivers: they bring what the API posts to your URL to the client.

`asgi.WebhookApp` is mounted in FastAPI, Starlette, Litestar or Quart, `aiohttp.webhook_handler` in
an `aiohttp.web` application. In anything else ``await client.webhooks.deliver(body, token)`` does.

What is posted proves itself by the token at the end of its URL, so access logs hold tokens: each is
good for one task, until ten minutes after its end.
"""
