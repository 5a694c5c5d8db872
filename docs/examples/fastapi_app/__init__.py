"""A web app that draws: see docs/web-backends.md."""
