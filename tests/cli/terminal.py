"""As much of a terminal as a picture needs: text, lines that wrap, and where the cursor is put."""

import re
from itertools import islice

_PIECES = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[H|\x1b\[[0-9;?]*[a-zA-Z]|(.)")


class Terminal:
    """A screen of characters; colours are not kept."""

    def __init__(self, width: int, height: int) -> None:
        self.resize(width, height, [])

    @property
    def lines(self) -> list[str]:
        return ["".join(line) for line in self._lines]

    def resize(self, width: int, height: int, lines: list[str] | None = None) -> None:
        """Cut off what has no place any more, as terminals do with a screen that is not kept."""
        kept = self.lines if lines is None else lines
        kept += [""] * (height - len(kept))
        self._lines = [list(line[:width].ljust(width)) for line in islice(kept, height)]
        self._width, self._height = width, height
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Show what was written."""
        for piece in _PIECES.finditer(text):
            row, column, sign = piece.groups()
            if sign is not None:
                self._put(sign)
            elif row is not None:
                self._row = min(int(row), self._height) - 1
                self._column = min(int(column), self._width) - 1

    def _put(self, sign: str) -> None:
        if self._column == self._width:
            self._row, self._column = self._row + 1, 0
        if self._row == self._height:
            self._lines = [*self._lines[1:], [" "] * self._width]
            self._row -= 1
        self._lines[self._row][self._column] = sign
        self._column += 1
