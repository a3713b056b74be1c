"""How fast something goes."""

from collections import deque
from time import monotonic

SECONDS = 10.0
"""The time over which the rate is taken."""


class Pace:
    """How fast something goes, over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def rate(self, count: int) -> float | None:
        """Per second, now that it has come to `count`; `None` before there is anything to compare with."""
        now = monotonic()
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] < now - SECONDS:
            self._seen.popleft()
        began, before = self._seen[0]
        return (count - before) / (now - began) if now > began else None
