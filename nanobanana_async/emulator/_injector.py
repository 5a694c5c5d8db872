"""Draws the faults that requests suffer."""

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from nanobanana_async.emulator._acts import ALL
from nanobanana_async.emulator._episodes import Episode
from nanobanana_async.emulator._faults import of_kind
from nanobanana_async.emulator._routes import Kind


class FaultInjector:
    """Decides for each request which fault it suffers, if any."""

    def __init__(
        self, faults: Mapping[str, float], episodes: Sequence[Episode], rng: Random
    ) -> None:
        """Take faults that passed `check_faults`, and a generator that nothing else uses."""
        self._plain = {kind: of_kind(faults, kind) for kind in ALL}
        self._episodes = {
            kind: [
                (name, episode)
                for episode in episodes
                for name in episode.names()
                if name.startswith(f"{kind}_")
            ]
            for kind in ALL
        }
        self._rng = rng

    def draw(self, kind: Kind, now: float) -> str | None:
        """Name the fault of this request, or None; one random number a request at most."""
        if not self._plain[kind] and not self._episodes[kind]:
            return None
        left = self._rng.random()
        for name, probability in self._chances(kind, now):
            left -= probability
            if left < 0:
                return name
        return None

    def _chances(self, kind: Kind, now: float) -> Iterator[tuple[str, float]]:
        # Episodes first: one of probability 1 leaves nothing for what comes after it.
        for name, episode in self._episodes[kind]:
            if episode.active(now):
                yield name, episode.probability
        yield from self._plain[kind]
