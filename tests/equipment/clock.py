"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2031, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)


class FrozenClock:
    """Implements `shared.clock.Clock`."""

    def __init__(self, now: datetime = NOW) -> None:
        self._began = now
        self._now = now

    def now(self) -> datetime:
        return self._now

    def elapsed(self) -> float:
        return (self._now - self._began).total_seconds()

    def advance(self, seconds: float = 0.001) -> datetime:
        """Move on and return the new moment."""
        self._now += timedelta(seconds=seconds)
        return self._now
