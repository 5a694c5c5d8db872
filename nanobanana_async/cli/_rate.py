"""How fast a counter grows: the mean of the last few seconds, time passed in."""

from collections import deque

from attrs import define, field


@define
class RateMeter:
    """Feed it the counter now and then."""

    span: float = 3.0
    """Seconds that count."""
    _readings: deque[tuple[float, int]] = field(factory=deque, init=False)

    def update(self, now: float, count: int) -> float:
        """Note the counter and return its growth a second; 0 at the first reading."""
        readings = self._readings
        readings.append((now, count))
        # One reading at least as old as the span stays, so that the whole of it is covered.
        while len(readings) > 1 and readings[1][0] <= now - self.span:
            readings.popleft()
        began, before = readings[0]
        return (count - before) / (now - began) if now > began else 0.0
