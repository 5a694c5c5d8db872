"""A web app that draws: see docs/howto/web-backends.md."""
