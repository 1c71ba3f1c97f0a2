"""What may happen as often as somebody likes is told once a minute: a flood must not fill the disk with log lines."""

from collections import Counter
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from shared.clock import Clock, SystemClock

SECONDS: Final = 60.0

Kind = TypeVar("Kind", bound=Hashable)


class Seldom(Generic[Kind]):
    """Says when something is due to be told again. Kinds are few; each is remembered."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._told: dict[Kind, float] = {}
        self._left_out: Counter[Kind] = Counter()

    def due(self, kind: Kind) -> int | None:
        """Return how often this kind was left out since it was told; None where that is less than `SECONDS` ago."""
        now = self._clock.elapsed()
        if now - self._told.get(kind, -SECONDS) < SECONDS:
            self._left_out[kind] += 1
            return None
        self._told[kind] = now
        return self._left_out.pop(kind, 0)
