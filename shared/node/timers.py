"""The timers of one transaction: those that are due, in their order, and those that rules set or cancel.

Timers lie beside the records, so that a timer and what it will act on become true together. Whatever process finds
them due first fires them; the others wait for its commit and then find them gone.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select

from shared.node.rules import Moment, Timer, TimerClock
from shared.node.tables import TIMERS
from shared.protocol.encoding import dump_json
from shared.storage.upserts import upsert

SLICE: Final = 100
"""At most so many timers are fired in one transaction, so that no ack waits for all that a set clock makes due."""

_AT_ONCE: Final = datetime.fromtimestamp(0, UTC)

_IS_DUE: Final = (
    TIMERS.c.due_at <= bindparam("business"),
    or_(TIMERS.c.clock == TimerClock.BUSINESS, TIMERS.c.due_at <= bindparam("protocol")),
    TIMERS.c.not_before <= bindparam("protocol"),
)
_DUE: Final = (
    select(TIMERS)
    .where(*_IS_DUE)
    .where(TIMERS.c.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(TIMERS.c.due_at, TIMERS.c.id)
    .limit(bindparam("slice"))
    .with_for_update()
)
_GONE: Final = delete(TIMERS).where(TIMERS.c.id == bindparam("gone"))


class DueTimers:
    """Reads and writes in the transaction of the given connection.

    Attributes:
        reached: business time that is not over yet, where more timers are due than a slice: what happens in this
            transaction happens no later than the first of those that are left. None where none is left.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._until = Moment(_AT_ONCE, _AT_ONCE)
        self._queue: list[tuple[datetime, str]] = []
        self._due: dict[str, Timer] = {}
        self._changed: dict[str, tuple[Timer, datetime] | None] = {}
        self.reached: datetime | None = None

    def load(self, until: Moment, kinds: Sequence[str], most: int = SLICE) -> None:
        """Find the timers of these kinds that are due by `until`, at most so many."""
        self._until = until
        wanted = {"business": until.business, "protocol": until.protocol, "kinds": kinds, "slice": most + 1}
        found = [_timer_of(row) for row in self._connection.execute(_DUE, wanted)]
        if len(found) > most:
            self.reached = found.pop().due_at
        self._due = {timer.id: timer for timer in found}
        self._queue = [(timer.due_at, timer.id) for timer in found]
        heapify(self._queue)

    def next_due(self, until: Moment) -> Timer | None:
        """Take the first timer that is due by `until`, which is no later than what was loaded."""
        while self._queue:
            due_at, id_ = self._queue[0]
            timer = self._due.get(id_)
            if timer is not None and timer.due_at == due_at:
                if due_at > _on(timer, until):
                    return None
                del self._due[id_]
                self._changed[id_] = None
            heappop(self._queue)
            if timer is not None and timer.due_at == due_at:
                return timer
        return None

    def set(self, timers: Iterable[Timer]) -> None:
        """Set timers; one that is due already is fired in this transaction, if it has a place in its order."""
        for timer in timers:
            self._changed[timer.id] = (timer, _AT_ONCE)
            self._due.pop(timer.id, None)
            if timer.due_at <= _on(timer, self._until) and (self.reached is None or timer.due_at < self.reached):
                self._due[timer.id] = timer
                heappush(self._queue, (timer.due_at, timer.id))

    def cancel(self, ids: Iterable[str]) -> None:
        """Cancel timers, whether they are there or not."""
        for id_ in ids:
            self._due.pop(id_, None)
            self._changed[id_] = None

    def leave(self, timer: Timer, not_before: datetime) -> None:
        """Leave a timer alone until then (protocol time, aware)."""
        self._changed[timer.id] = (timer, not_before)

    def write(self) -> None:
        """Write what has changed."""
        kept = [_row(*change) for change in self._changed.values() if change]
        gone = [{"gone": id_} for id_, change in self._changed.items() if change is None]
        if gone:
            self._connection.execute(_GONE, gone)
        if kept:
            changing = ("kind", "clock", "due_at", "data", "not_before")
            self._connection.execute(upsert(TIMERS, self._connection.dialect.name, *changing), kept)


def set_timers(connection: Connection, timers: Sequence[Timer]) -> None:
    """Set timers outside of any rule; they must not be there yet. Raises IntegrityError."""
    if timers:
        connection.execute(insert(TIMERS), [_row(timer, _AT_ONCE) for timer in timers])


def count_due(connection: Connection, moment: Moment) -> int:
    """Count the timers that are due and can be fired."""
    due = select(func.count()).select_from(TIMERS).where(*_IS_DUE)
    return connection.execute(due, {"business": moment.business, "protocol": moment.protocol}).scalar_one()


def _on(timer: Timer, moment: Moment) -> datetime:
    return moment.business if timer.clock is TimerClock.BUSINESS else moment.protocol


def _timer_of(row: Any) -> Timer:
    return Timer(row.id, row.kind, row.due_at, json.loads(row.data), TimerClock(row.clock))


def _row(timer: Timer, not_before: datetime) -> dict[str, Any]:
    return {
        "id": timer.id,
        "kind": timer.kind,
        "clock": timer.clock.value,
        "due_at": timer.due_at,
        "data": dump_json(dict(timer.data)).decode(),
        "not_before": not_before,
    }
