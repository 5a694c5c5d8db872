"""Progress as a few lines that change in place, for a terminal. Needs rich; import it late."""

from collections.abc import Callable
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

T = TypeVar("T")


class LiveDisplay(Generic[T]):
    """Draws each snapshot over the one before it."""

    interval: Final = 0.1

    def __init__(
        self, picture: Callable[[T], RenderableType], console: Console | None = None
    ) -> None:
        """Draw what `picture` makes of a snapshot on `console`; stdout when None."""
        self._picture = picture
        self._live = Live(console=console or Console(highlight=False), auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, snapshot: T) -> None:
        self._live.update(self._picture(snapshot), refresh=True)

    def say(self, text: str) -> None:
        # A Text, since `markup=False` would hold for the picture below it as well.
        self._live.console.print(Text(text), soft_wrap=True)
