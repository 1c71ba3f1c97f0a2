"""The only place that reads the time. Everything else is given a clock, so that tests can stop it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day, and measures spans."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""

    def elapsed(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean something."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.perf_counter()
