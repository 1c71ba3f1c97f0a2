"""What was asked for once and is kept for a time: asked for again in good time, at most so often, by one at a time.

Three ages matter. Up to `soft` an answer is as good as new. Up to `hard` it goes on counting where no newer one can be
had, for a registry may be down for some minutes. After `hard` it counts no more: who has been offboarded must be gone.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from shared.node.clock import Clock
from shared.node.counterparties import CounterpartiesUnavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an answer counts, and how often it may be asked for out of turn."""

    soft: timedelta
    hard: timedelta
    refreshes: int
    per: timedelta


class Kept(Generic[T]):
    """One answer."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Clock, lifetime: Lifetime) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lifetime = lifetime
        self._lock = asyncio.Lock()
        self._value: T
        self._fetched_at: float | None = None
        self._asked: deque[float] = deque(maxlen=lifetime.refreshes)

    @property
    def is_known(self) -> bool:
        """Whether there is an answer that still counts."""
        return self._age() <= self._lifetime.hard.total_seconds()

    @property
    def last(self) -> T | None:
        """The last answer, however old, without asking."""
        return self._value if self._fetched_at is not None else None

    async def get(self) -> T:
        """Return the answer, asked for again where it has grown old.

        Raises:
            CounterpartiesUnavailable: there is none that counts, and none can be had.
        """
        if self._age() <= self._lifetime.soft.total_seconds():
            return self._value
        async with self._lock:
            if self._age() > self._lifetime.soft.total_seconds():
                await self._ask()
        return self._value

    async def refresh(self) -> bool:
        """Ask again out of turn, if that is not done too often; tell whether an answer came."""
        begun = self._clock.elapsed()
        async with self._lock:
            if self._fetched_at is not None and self._fetched_at > begun:
                return True  # somebody else has just asked
            if not self._may_ask():
                return False
            try:
                await self._ask()
            except CounterpartiesUnavailable:
                return False
            return self._fetched_at is not None and self._fetched_at >= begun

    async def _ask(self) -> None:
        if self.is_known and not self._may_ask():
            return
        self._asked.append(self._clock.elapsed())
        try:
            self._value = await self._fetch()
            self._fetched_at = self._clock.elapsed()
        except CounterpartiesUnavailable:
            if not self.is_known:
                raise

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock.elapsed() - self._fetched_at

    def _may_ask(self) -> bool:
        crowded = len(self._asked) == self._lifetime.refreshes
        return not crowded or self._clock.elapsed() - self._asked[0] > self._lifetime.per.total_seconds()
