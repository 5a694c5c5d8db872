"""What the tests of the web examples share."""

import pytest

from nanobanana_async.emulator import Picture, _http
from nanobanana_async.emulator._gallery import render


@pytest.fixture(autouse=True)
def _drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing hundreds of pictures takes seconds, and nobody looks at them here."""
    blank = render(Picture("a cat", 256, 256, "png"))
    monkeypatch.setattr(_http, "render", lambda _: blank)
