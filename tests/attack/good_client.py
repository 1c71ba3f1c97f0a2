"""The client that is measured while an attack goes on: the LSP, whose messages are good and come from 127.0.0.1."""

import http.client
import math
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from tests.attack.victim import Victim
from tests.attack.wire import ask, connect_tls, seconds_of
from tests.live.pair import LSP

NO_ANSWER = math.inf
"""In the place of seconds: there was no answer in time, or not a good one."""


class GoodClient:
    """Sends a message after another, and notes how long the answer of each takes."""

    def __init__(self, victim: Victim, limit: float = 10.0) -> None:
        """`limit` is how many seconds it waits for anything."""
        self._victim = victim
        self._tls = victim.tls(LSP)
        self.limit = limit
        self.seconds: list[float] = []

    def try_anew(self) -> float:
        """Send one message over a new connection; the seconds from TCP to the answer, or `NO_ANSWER`."""
        self.seconds.append(self._timed(self._once))
        return self.seconds[-1]

    @contextmanager
    def calling(self, *, anew: bool, pause: float = 0.05) -> Iterator[None]:
        """Send messages for as long as this lasts, over new connections or over one that is kept."""
        over = Event()
        calls = self._call_anew if anew else self._call_over_one
        thread = Thread(target=calls, args=(over, pause))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @property
    def answered(self) -> list[float]:
        """The seconds of the messages that were answered."""
        return [one for one in self.seconds if one != NO_ANSWER]

    @property
    def failed(self) -> str:
        """How many were not answered."""
        return f"{len(self.seconds) - len(self.answered)} of {len(self.seconds)}"

    @property
    def median(self) -> str:
        """The median of the seconds, as text."""
        return told(statistics.median(self.seconds), self.limit)

    @property
    def longest(self) -> str:
        """The longest, as text."""
        return told(max(self.seconds), self.limit)

    def percentile_99(self) -> str:
        """What all but one in a hundred stay below, as text."""
        return told(sorted(self.seconds)[math.ceil(len(self.seconds) * 0.99) - 1], self.limit)

    def _call_anew(self, over: Event, pause: float) -> None:
        while not over.is_set():
            self.try_anew()
            over.wait(pause)

    def _call_over_one(self, over: Event, pause: float) -> None:
        with connect_tls(self._victim.address, self._tls, seconds=self.limit) as connection:
            while not over.is_set():
                message = self._victim.message()
                self.seconds.append(self._timed(lambda message=message: _good(ask(connection, message).status)))  # type: ignore[misc]
                if self.seconds[-1] == NO_ANSWER:
                    return
                over.wait(pause)

    def _once(self) -> None:
        message = self._victim.message()
        with connect_tls(self._victim.address, self._tls, seconds=self.limit) as connection:
            _good(ask(connection, message).status)

    def _timed(self, act: Callable[[], None]) -> float:
        try:
            return seconds_of(act)
        except (OSError, http.client.HTTPException):
            return NO_ANSWER


def told(seconds: float, limit: float) -> str:
    """Write down seconds, or that there was no answer within `limit`."""
    return f"no good answer in {limit:.0f} s" if seconds == NO_ANSWER else f"{seconds:.2f} s"


def _good(status: int) -> None:
    if status != 200:
        raise http.client.HTTPException(f"answered with {status}")
