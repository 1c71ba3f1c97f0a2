"""A cached answer: renewed before it is too old, at most so often, and by one request at a time.

Three ages matter. Up to `soft` an answer is used as it is. Up to `hard` it is used if no newer one can be had, as a
registry may be down for some minutes. After `hard` it is not used: offboarded participants must be gone.

A request is a task of its own. Callers wait for it, but not for ever, and one that gives up does not end it for the
others; if it fails, it fails for all who wait, so that they do not queue for a registry that is down.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, NamedTuple, TypeVar

from shared.clock import Clock
from shared.node.counterparties import CounterpartiesUnavailable

T = TypeVar("T")


class Ages(NamedTuple):
    """Up to which ages one answer counts; see above."""

    soft: timedelta
    hard: timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is asked, and how long is waited.

    Attributes:
        asks: so many times in the span `per`, as long as there is an answer that counts.
        pause: after a failure nobody asks again so soon.
        patience: how long a caller waits for a request, which then goes on without it.
        patience_with_answer: so long where there is an answer that still counts: a registry that hangs must not hold
            up messages of those who are known.
    """

    asks: int
    per: timedelta
    pause: timedelta = timedelta(seconds=2)
    patience: timedelta = timedelta(seconds=4)
    patience_with_answer: timedelta = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True)
class CacheTimes:
    """How long what the registry and the Auth Service say counts: all in proportion to one span.

    Attributes:
        longest: nothing of a participant counts longer; P25 says 5 to 15 minutes.
    """

    longest: timedelta = timedelta(minutes=15)

    @property
    def participants(self) -> Ages:
        """How long a participant counts, and who belongs to a product network."""
        return Ages(self.longest / 3, self.longest)

    @property
    def nobody(self) -> Ages:
        """How long it counts that the registry has nobody of an id: shorter, as one may be approved any minute."""
        return Ages(self.longest / 30, self.longest / 3)

    @property
    def auth_keys(self) -> Ages:
        """How long the Auth Service's JWKS are kept: by default an hour (P25)."""
        return Ages(self.longest * 2, self.longest * 4)

    @property
    def look_up_pace(self) -> Pace:
        """Out of turn, for an unknown kid or a signature that fails: once in ten seconds."""
        return Pace(asks=1, per=min(timedelta(seconds=10), self.participants.soft))

    @property
    def auth_keys_pace(self) -> Pace:
        """For kids of tokens that are not known, however many come: a new key counts half a minute later at most."""
        return Pace(asks=2, per=min(timedelta(seconds=30), self.auth_keys.soft))


USUAL_TIMES: Final = CacheTimes()


class Kept(Generic[T]):
    """One answer."""

    def __init__(
        self, fetch: Callable[[], Awaitable[T]], clock: Clock, pace: Pace, ages_of: Callable[[T], Ages]
    ) -> None:
        """Ask with `fetch`; `ages_of` says how long an answer counts, from the moment it was asked for."""
        self._fetch = fetch
        self._clock = clock
        self._pace = pace
        self._ages_of = ages_of
        self._value: T
        self._is_there = False
        self._soft = self._hard = float("-inf")
        self._failure = "no answer has come yet"
        self._failed_at = float("-inf")
        self._asked: deque[float] = deque(maxlen=pace.asks)
        self._request: asyncio.Task[None] | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is an answer that still counts."""
        return self._clock.elapsed() <= self._hard

    @property
    def last(self) -> T | None:
        """The last answer, however old, without asking."""
        return self._value if self._is_there else None

    async def get(self) -> T:
        """Return the answer, asked for again if it is too old.

        Raises:
            CounterpartiesUnavailable: there is none that counts, and none can be had now.
        """
        if (now := self._clock.elapsed()) > self._soft:
            await self._renew(self._pace.patience_with_answer if now <= self._hard else self._pace.patience)
            now = self._clock.elapsed()
        if now > self._hard:
            raise CounterpartiesUnavailable(self._failure)
        return self._value

    async def refresh(self) -> None:
        """Ask again out of turn, if that is not done too often; `get` has the answer, or the former one."""
        await self._renew(self._pace.patience)

    def amend(self, change: Callable[[T], T]) -> None:
        """Change the present answer without asking; its age stays."""
        if self._is_there:
            self._value = change(self._value)

    async def _renew(self, patience: timedelta) -> None:
        if self._request is None and self._may_ask():
            self._asked.append(self._clock.elapsed())
            self._request = asyncio.create_task(self._ask(self._clock.elapsed()))
        if self._request is not None:
            await asyncio.wait({self._request}, timeout=patience.total_seconds())

    async def _ask(self, begun: float) -> None:
        try:
            value = await self._fetch()
            soft, hard = self._ages_of(value)
        except Exception as error:  # also an answer that nobody expected must not be asked for by everybody at once
            self._failure = str(error) if isinstance(error, CounterpartiesUnavailable) else repr(error)[:300]
            self._failed_at = self._clock.elapsed()
        else:
            self._value, self._is_there = value, True
            self._soft, self._hard = begun + soft.total_seconds(), begun + hard.total_seconds()
        finally:
            self._request = None

    def _may_ask(self) -> bool:
        now = self._clock.elapsed()
        if now - self._failed_at < self._pace.pause.total_seconds():
            return False
        is_crowded = len(self._asked) == self._pace.asks and now - self._asked[0] < self._pace.per.total_seconds()
        return not (is_crowded and self.is_known)
