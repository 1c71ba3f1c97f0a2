"""Whether messages can be taken now. A database may answer every question and take no change, so one is written."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.clock import Clock

PAUSE_SECONDS: Final = 1.0
"""Between the beginnings of two writes, however many ask."""

WAIT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why messages cannot be taken, and since when that is known (aware, UTC)."""

    reason: str
    since: datetime


class ReadinessCheck:
    """Tells whether messages can be taken: the protocol plane listens, and the database can be written.

    Callers who ask at the same time share one write, and its outcome is given to whoever asks within the next second.
    """

    def __init__(
        self, is_listening: Callable[[], bool], write: Callable[[datetime], Awaitable[None]], clock: Clock
    ) -> None:
        """Prepare; `write` is given the time and returns once that is committed."""
        self._is_listening = is_listening
        self._write = write
        self._clock = clock
        self._check: asyncio.Task[str | None] | None = None
        self._next_check = clock.elapsed()
        self._obstacle: Obstacle | None = None

    async def obstacle(self) -> Obstacle | None:
        """Return what is in the way; it takes WAIT_SECONDS at most."""
        reason = await self._why_not_written() if self._is_listening() else "the protocol plane does not listen"
        if reason is None:
            self._obstacle = None
        elif self._obstacle is None:
            self._obstacle = Obstacle(reason, self._clock.now())
        else:
            self._obstacle = Obstacle(reason, self._obstacle.since)
        return self._obstacle

    async def _why_not_written(self) -> str | None:
        now = self._clock.elapsed()
        if self._check is None or (self._check.done() and now >= self._next_check):
            self._next_check = now + PAUSE_SECONDS
            self._check = asyncio.create_task(self._try_to_write())
        return await asyncio.shield(self._check)

    async def _try_to_write(self) -> str | None:
        try:
            await asyncio.wait_for(self._write(self._clock.now()), WAIT_SECONDS)
        except TimeoutError:
            return f"the database has not taken a change within {WAIT_SECONDS:.0f} s"
        except Exception as error:  # whatever it is, it is in the way
            return str(error)
        return None
