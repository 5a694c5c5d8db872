"""What has become of the pictures that were asked for; counts only, no clock and no output."""

from typing import Final

from attrs import define, field

_REMEMBERED: Final = 5


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

    @property
    def missing(self) -> int:
        """Pictures that are not there (yet)."""
        return self.total - self.downloaded

    def fail(self, name: str, error: Exception) -> None:
        """Note a picture that will not come."""
        self.failed += 1
        self.note(f"{name}: {error}")

    def note(self, reason: str) -> None:
        """Remember a reason, if it is one of the first few."""
        if len(self.reasons) < _REMEMBERED:
            self.reasons.append(reason)
