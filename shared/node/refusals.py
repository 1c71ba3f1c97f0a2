"""What was refused: kept for people to look at, never for the protocol to act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, insert, select

from shared.node.ids import new_id
from shared.node.send.outbox import storable, verdict_text
from shared.node.tables import REFUSALS
from shared.protocol.checks import JOURNAL_CHECKS
from shared.protocol.problems import Problem
from shared.protocol.verification import Failure

KEPT: Final = 10_000
"""Refusals kept at most; a flood pushes out the older ones, of whatever peer."""

MAX_RAW_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Refusal:
    """One message that was refused. `peer` is whose the connection is, as far as known; the rest is as claimed.

    `reason` is what a rule gave, where a rule refused and not a check.
    """

    received_at: datetime
    peer: str
    address: str
    path: str
    request_id: str
    trace_id: str
    problem: Problem
    failure: Failure | None
    raw: bytes
    signature: str = ""
    reason: str = ""
    keys: frozenset[str] = frozenset()


def write_refusals(connection: Connection, units: Sequence[Refusal]) -> Sequence[None]:
    """Write a batch down."""
    connection.execute(insert(REFUSALS), [_row(unit) for unit in units])
    return [None] * len(units)


def pushed_out() -> ColumnElement[bool]:
    """Return the condition that all but the latest refusals meet."""
    newest = select(REFUSALS.c.id).order_by(REFUSALS.c.id.desc()).limit(1).offset(KEPT).scalar_subquery()
    return REFUSALS.c.id <= newest


def _row(refusal: Refusal) -> dict[str, object]:
    return {
        "id": new_id(),
        "received_at": refusal.received_at,
        "peer": refusal.peer,
        "address": refusal.address,
        "path": storable(refusal.path[:200]),
        "request_id": storable(refusal.request_id[:200]),
        "trace_id": storable(refusal.trace_id[:200]),
        "error": refusal.problem.code,
        "reason": refusal.reason,
        "steps": verdict_text(refusal.failure, _not_judged(refusal)),
        "raw": refusal.raw[:MAX_RAW_BYTES],
        "signature": refusal.signature,
    }


def _not_judged(refusal: Refusal) -> dict[str, str]:
    """Say which checks nobody knows of: where something failed here, whether the journal has been asked."""
    if refusal.problem is not Problem.INTERNAL or refusal.failure is not None:
        return {}
    return {check.name: "something failed here" for check in JOURNAL_CHECKS}
