"""Limits a log line that anybody can cause to one a minute: a flood of events must not fill the disk."""

from collections import Counter
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from shared.clock import Clock, SystemClock

SECONDS: Final = 60.0

Kind = TypeVar("Kind", bound=Hashable)


class OnceAMinute(Generic[Kind]):
    """Tells when a kind of event is due to be logged again. Kinds are few; each is remembered."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._logged_at: dict[Kind, float] = {}
        self._left_out: Counter[Kind] = Counter()

    def due(self, kind: Kind) -> int | None:
        """Return how often this kind was left out since it was logged; None if that is less than `SECONDS` ago."""
        now = self._clock.elapsed()
        if now - self._logged_at.get(kind, -SECONDS) < SECONDS:
            self._left_out[kind] += 1
            return None
        self._logged_at[kind] = now
        return self._left_out.pop(kind, 0)
