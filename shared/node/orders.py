"""Orders: what an operator, or a person through an operator, tells the rules to do. Each id is carried out once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert, select

from shared.node.business_clock import BusinessClock
from shared.node.decisions import Decisions
from shared.node.rules import BoundRules, Order
from shared.node.send.outbox import OutboxState
from shared.node.tables import ORDERS
from shared.protocol.encoding import dump_json


class OrderRefusedError(Exception):
    """A rule refuses an order; the text says why. Nothing has changed."""


@dataclass(frozen=True, slots=True)
class Given:
    """An order that is given at `now` (protocol time, aware)."""

    order: Order
    now: datetime
    keys: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", frozenset({f"order {self.order.id}"}))


def carry_out_orders(
    rules: BoundRules, clock: BusinessClock, connection: Connection, units: Sequence[Given]
) -> Sequence[bool | Exception]:
    """Carry out each order in turn; return whether it is new, or why it is refused."""
    return [_carry_out(Decisions(connection, rules, clock), connection, unit) for unit in units]


def _carry_out(decisions: Decisions, connection: Connection, unit: Given) -> bool | Exception:
    order = unit.order
    if connection.scalar(select(ORDERS.c.id).where(ORDERS.c.id == order.id)) is not None:
        return False
    decisions.find_timers(unit.now)
    decisions.fire(unit.now)
    reply = decisions.reply_to_order(order, unit.now)
    if reply.problem is None:
        decisions.keep(reply, decisions.at(unit.now), OutboxState.WAITING, unit.now, "")
        row = {"id": order.id, "kind": order.kind, "data": dump_json(dict(order.data)).decode(), "ordered_at": unit.now}
        connection.execute(insert(ORDERS), row)
    decisions.write()
    return True if reply.problem is None else OrderRefusedError(reply.reason)
