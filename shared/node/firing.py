"""Fires timers that no message has fired: as units of work of the writer, a slice in each transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from shared.node.business_clock import BusinessClock
from shared.node.decisions import RETRY_AFTER, Decisions
from shared.node.rules import BoundRules
from shared.node.timers import SLICE, DueTimers


@dataclass(frozen=True, slots=True)
class Firing:
    """A request to run at most so many of the timers that are due at `now` (protocol time, aware)."""

    now: datetime
    most: int = SLICE
    keys: frozenset[str] = frozenset({"timers"})


def fire_timers(
    rules: BoundRules, clock: BusinessClock, connection: Connection, units: Sequence[Firing]
) -> Sequence[bool]:
    """Fire for each unit in turn, and tell it whether more timers are due."""
    return [_fire(Decisions(connection, rules, clock), unit) for unit in units]


def leave_first(clock: BusinessClock, kinds: Sequence[str], now: datetime, connection: Connection) -> None:
    """Leave the first timer that is due alone for a minute: what follows from it cannot be written."""
    timers = DueTimers(connection)
    timers.load(clock.at(now), kinds, 1)
    if (timer := timers.next_due(clock.at(now))) is not None:
        timers.leave(timer, now + RETRY_AFTER)
        timers.write()


def _fire(decisions: Decisions, unit: Firing) -> bool:
    decisions.find_timers(unit.now, unit.most)
    decisions.fire(unit.now)
    decisions.write()
    return decisions.is_behind
