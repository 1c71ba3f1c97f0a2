"""The timers of one transaction: those that are due, in their order, and those that rules set or cancel.

Timers are in the same database as the records, so that a timer is committed together with what it acts on. The first
process that finds them due fires them; the others wait for its commit and then find them gone.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, or_, select, union_all

from shared.node.rules import Moment, Timer, TimerClock
from shared.node.tables import TIMERS
from shared.protocol.encoding import dump_json
from shared.storage.upserts import upsert

SLICE: Final = 100
"""At most so many timers are fired in one transaction, so that no ack waits for all that a set clock makes due."""

_AT_ONCE: Final = datetime.fromtimestamp(0, UTC)

_IS_FREE: Final = TIMERS.c.not_before <= bindparam("protocol")
_ON_BUSINESS: Final = (TIMERS.c.clock == TimerClock.BUSINESS) & (TIMERS.c.due_at <= bindparam("business"))
_ON_PROTOCOL: Final = (TIMERS.c.clock == TimerClock.PROTOCOL) & (TIMERS.c.due_at <= bindparam("protocol"))


def _first(is_due: ColumnElement[bool]) -> Select[Any]:
    """Return the first of one clock that are due: each clock by itself, so that the index gives their order."""
    of_kinds = TIMERS.c.kind.in_(bindparam("kinds", expanding=True))
    first = select(TIMERS).where(is_due, _IS_FREE, of_kinds).order_by(TIMERS.c.due_at, TIMERS.c.id)
    return select(first.limit(bindparam("slice")).subquery())


_DUE: Final = union_all(_first(_ON_BUSINESS), _first(_ON_PROTOCOL))
_LOCKED: Final = (
    select(TIMERS).where(TIMERS.c.id.in_(bindparam("ids", expanding=True))).order_by(TIMERS.c.id).with_for_update()
)
_GONE: Final = delete(TIMERS).where(TIMERS.c.id == bindparam("gone"))


class DueTimers:
    """Reads and writes in the transaction of the given connection.

    Timers of both clocks stand in one order, that of business time: one of protocol time has its place where business
    time, as far ahead as it is now, was at its due time.

    Attributes:
        reached: business time that is not over yet, where more timers are due than a transaction fires: what happens in
            this one happens no later than the first of those that are left. None where none is left.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._until = Moment(_AT_ONCE, _AT_ONCE)
        self._places = 0
        self._queue: list[tuple[datetime, str]] = []
        self._due: dict[str, Timer] = {}
        self._changed: dict[str, tuple[Timer, datetime] | None] = {}
        self.reached: datetime | None = None

    def load(self, until: Moment, kinds: Sequence[str], most: int = SLICE) -> None:
        """Find the timers of these kinds that are due by `until`; at most so many are fired, with those set meanwhile.

        Another process may hold them: what it has made of them, and has set besides, is seen once it has committed.
        """
        self._until, self._places = until, most
        wanted = {"business": until.business, "protocol": until.protocol, "kinds": kinds, "slice": most + 1}
        while True:
            found = {row.id: row for row in self._connection.execute(_DUE, wanted)}
            locked = self._connection.execute(_LOCKED, {"ids": list(found)}) if found else ()
            if {row.id: row for row in locked} == found:
                break
        timers = sorted(map(_timer_of, found.values()), key=lambda timer: (self._place_of(timer), timer.id))
        if len(timers) > most:
            self.reached = self._place_of(timers[most])
        self._due = {timer.id: timer for timer in timers[:most]}
        self._queue = [(self._place_of(timer), timer.id) for timer in timers[:most]]

    def next_due(self, until: Moment) -> Timer | None:
        """Take the first timer that is due by `until`, which is no later than what was loaded."""
        while self._queue:
            place, id_ = self._queue[0]
            timer = self._due.get(id_)
            if timer is None or self._place_of(timer) != place:  # it was cancelled, or set anew
                heappop(self._queue)
                continue
            if place > until.business:
                return None
            if not self._places:
                self.reached = place
                self._queue.clear()
                return None
            self._places -= 1
            heappop(self._queue)
            del self._due[id_]
            self._changed[id_] = None
            return timer
        return None

    def set(self, timers: Iterable[Timer]) -> None:
        """Set timers; one that is due already is fired in this transaction, if it has a place in its order."""
        for timer in timers:
            self._changed[timer.id] = (timer, _AT_ONCE)
            self._due.pop(timer.id, None)
            place = self._place_of(timer)
            if self._has_time_for(place):
                self._due[timer.id] = timer
                heappush(self._queue, (place, timer.id))

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
        _write(self._connection, kept)

    def _place_of(self, timer: Timer) -> datetime:
        """Return the business time at which it is due."""
        ahead = self._until.business - self._until.protocol
        return timer.due_at if timer.clock is TimerClock.BUSINESS else timer.due_at + ahead

    def _has_time_for(self, place: datetime) -> bool:
        return place <= self._until.business and (self.reached is None or place < self.reached)


def set_timers(connection: Connection, timers: Sequence[Timer]) -> None:
    """Set timers outside of any rule."""
    _write(connection, [_row(timer, _AT_ONCE) for timer in timers])


def count_due(connection: Connection, moment: Moment) -> int:
    """Count the timers that are due and can be fired."""
    due = select(func.count()).select_from(TIMERS).where(or_(_ON_BUSINESS, _ON_PROTOCOL), _IS_FREE)
    return connection.execute(due, {"business": moment.business, "protocol": moment.protocol}).scalar_one()


def _write(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        changing = ("kind", "clock", "due_at", "data", "not_before")
        connection.execute(upsert(TIMERS, connection.dialect.name, *changing), rows)


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
