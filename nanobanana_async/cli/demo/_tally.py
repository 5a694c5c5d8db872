"""What has become of the pictures that were asked for; no clock and no output."""

from pathlib import Path
from typing import Final

from attrs import define, field

_REMEMBERED: Final = 5
_SHOWN: Final = 1_000


@define
class Tally:
    """Counts pictures; memory does not grow with their number."""

    total: int
    """Pictures asked for."""
    generated: int = 0
    downloaded: int = 0
    failed: int = 0
    """Pictures that could not be generated, or not be downloaded."""
    reasons: list[str] = field(factory=list)
    """Why, for the first few."""
    files: list[Path] = field(factory=list)
    """The files of all, or of a thousand among them."""
    cut_off: list[Path] = field(factory=list)
    """Files of downloads that were cancelled, each of which may be there all the same."""

    def there(self) -> int:
        """Count the pictures that are there when the run was cut off."""
        return self.downloaded + sum(file.exists() for file in self.cut_off)

    @property
    def missing(self) -> int:
        """Pictures that are not there (yet)."""
        return self.total - self.downloaded

    def keep(self, index: int, file: Path) -> None:
        """Note a picture that is there; `index` is its place among those that were asked for."""
        self.downloaded += 1
        if index % -(-self.total // _SHOWN) == 0:
            self.files.append(file)

    def fail(self, name: str, error: Exception) -> None:
        """Note a picture that will not come."""
        self.failed += 1
        self.note(f"{name}: {error}")

    def note(self, reason: str) -> None:
        """Remember a reason, if it is one of the first few."""
        if len(self.reasons) < _REMEMBERED:
            self.reasons.append(reason)
