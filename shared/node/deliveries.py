"""Recording tries to deliver, and letting the rules know of a message that was given up."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from shared.node.decisions import undelivered_timer
from shared.node.rules import BoundRules
from shared.node.send.outbox import AttemptRecord, OutboxState, record_attempts
from shared.node.tables import OUTBOX, UNFINISHED
from shared.node.timers import set_timers


def record_deliveries(rules: BoundRules, connection: Connection, units: Sequence[AttemptRecord]) -> Sequence[None]:
    """Write a batch of attempts; if there is a rule for it, it is called for each delivery that is given up."""
    heard = {unit.attempt.entry.id: unit for unit in units if _is_heard(unit, rules)}
    if heard:
        open_until_now = select(OUTBOX.c.id).where(UNFINISHED, OUTBOX.c.id.in_(list(heard)))
        ids = connection.scalars(open_until_now).all()
        set_timers(connection, [undelivered_timer(id_, heard[id_].state, heard[id_].due_at) for id_ in ids])
    return record_attempts(connection, units)


def _is_heard(unit: AttemptRecord, rules: BoundRules) -> bool:
    is_given_up = unit.state in (OutboxState.REFUSED, OutboxState.DEAD)
    return is_given_up and unit.attempt.entry.outgoing.message in rules.undelivered
