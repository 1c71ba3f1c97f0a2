"""Counts wrong secrets for each client and caller: whoever guesses has to wait, and no other caller.

Every participant can read the others' client ids in the registry. If wrong secrets counted no matter who sent them,
anybody could lock another participant out for ever. A secret of 256 bits needs no such protection.

Callers are told apart by address, and by the certificate that they show if the client's participant has registered
it: only the participant can show that one, so its own mistakes are counted apart from what others guess.
"""

import asyncio
import math
from collections import OrderedDict, deque
from typing import Final

from registry_app.auth.errors import OAuthError
from shared.clock import Clock

MOST_CLIENTS: Final = 10_000
"""Clients with their callers remembered in each of the two tables at most; who tried longest ago is forgotten."""


class Attempts:
    """The recent failures of one client by one caller; who tries holds `turn`, so that no two guesses run at once."""

    def __init__(self, limit: int, seconds: float, clock: Clock) -> None:
        self.turn = asyncio.Lock()
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=limit)

    def admit(self) -> None:
        """Allow an attempt.

        Raises:
            OAuthError: there have been too many failures; with the seconds to wait.
        """
        if len(self._failures) == self._limit:
            left = self._failures[0] + self._seconds - self._clock.elapsed()
            if left > 0:
                headers = {"retry-after": str(math.ceil(left))}
                sentence = "Too many wrong secrets for this client; wait before the next try."
                raise OAuthError("temporarily_unavailable", sentence, 429, headers)

    def failed(self) -> None:
        """Count a failure."""
        self._failures.append(self._clock.elapsed())

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failures.clear()


class FailedAttempts:
    """The attempts of all clients. Those of unknown client ids are kept apart: they push out no registered one."""

    def __init__(self, limit: int, seconds: float, clock: Clock, most: int = MOST_CLIENTS) -> None:
        """Allow `limit` failures within `seconds`."""
        self._arguments = limit, seconds, clock
        self._most = most
        self._clients: OrderedDict[tuple[str, str], Attempts] = OrderedDict()
        self._strangers: OrderedDict[tuple[str, str], Attempts] = OrderedDict()

    def of(self, client_id: str, caller: str, *, is_known: bool) -> Attempts:
        """Return the attempts of a client by a caller: the certificate that is its own, or else an address."""
        table, key = self._clients if is_known else self._strangers, (client_id, caller)
        attempts = table.setdefault(key, Attempts(*self._arguments))
        table.move_to_end(key)
        if len(table) > self._most:
            table.popitem(last=False)
        return attempts
