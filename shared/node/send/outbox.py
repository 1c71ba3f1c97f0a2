"""The outbox: messages to be delivered, the result of each attempt, and who may make the next one.

A row's `due_at` says when anyone may next take it. Whoever takes it moves `due_at` a lease ahead, so that the rows of a
process that died fall due again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, bindparam, func, or_, select, update

from shared.catalogue.table import find_message
from shared.node.ids import new_id
from shared.node.rules import Outgoing
from shared.node.tables import ATTEMPTS, OUTBOX, UNFINISHED
from shared.protocol.encoding import dump_json
from shared.protocol.verification import Failure, Outcome, Verification
from shared.storage.upserts import upsert

NOTHING: Mapping[str, str] = MappingProxyType({})


class OutboxState(StrEnum):
    """WAITING until due; SENDING while somebody holds it; then DELIVERED (acked), REFUSED (a final no) or DEAD."""

    WAITING = "WAITING"
    SENDING = "SENDING"
    DELIVERED = "DELIVERED"
    REFUSED = "REFUSED"
    DEAD = "DEAD"


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One message on its way. `tries` counts from its making or its last re-drive, `driven_at` is the first of them.

    Until then `driven_at` is when it was made: time in which we were down is not taken from its budget.
    """

    id: str
    outgoing: Outgoing
    driven_at: datetime
    tries: int = 0


class AttemptOutcome(StrEnum):
    """How one try ended: the three ways in which the courier goes on."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One try: what was sent, what came back, and what it means.

    `answer` and `certificate`, the thumbprint of the server's, are empty where nothing came back; `signature` and
    `answer_signature` where it does not stand beside the body.
    """

    entry: OutboxEntry
    started_at: datetime
    milliseconds: float
    trace_id: str
    kid: str
    outcome: AttemptOutcome
    reason: str
    certificate: str = ""
    signature: str = ""
    answer_signature: str = ""
    status: int | None = None
    sent: bytes = b""
    answer: bytes = b""
    retry_after: float | None = None
    verification: Verification | None = None

    @property
    def first_started_at(self) -> datetime:
        """When the first try began, which may be this one."""
        return self.entry.driven_at if self.entry.tries else self.started_at


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """An attempt together with what the schedule made of it: the entry's next state, and when it is due again.

    `is_only_counted`: the attempt gets no row of its own.
    """

    attempt: DeliveryAttempt
    state: OutboxState
    due_at: datetime
    is_only_counted: bool = False
    keys: frozenset[str] = field(default=frozenset())


_RECORDED: Final = (
    update(OUTBOX)
    .where(OUTBOX.c.id == bindparam("outbox_id"))
    # Whoever held the entry before its lease ran out may still report, and an outage may hide a commit; neither
    # takes an answer back. Only an ack outweighs a refusal.
    .where(OUTBOX.c.state != OutboxState.DELIVERED)
    .where(or_(OUTBOX.c.state != OutboxState.REFUSED, bindparam("new_state") == OutboxState.DELIVERED))
    .values(
        state=bindparam("new_state"),
        due_at=bindparam("new_due_at"),
        driven_at=bindparam("new_driven_at"),
        tries=bindparam("new_tries"),
        result=bindparam("new_result"),
    )
)


def record_attempts(connection: Connection, units: Sequence[AttemptRecord]) -> Sequence[None]:
    """Write a batch of attempts and what follows; an attempt that has its row already keeps it as it is."""
    rows = [_attempt_row(unit.attempt) for unit in units if not unit.is_only_counted]
    if rows:
        connection.execute(upsert(ATTEMPTS, connection.dialect.name), rows)
    connection.execute(_RECORDED, [_progress(unit) for unit in units])
    return [None] * len(units)


def _progress(unit: AttemptRecord) -> dict[str, Any]:
    return {
        "outbox_id": unit.attempt.entry.id,
        "new_state": unit.state.value,
        "new_due_at": unit.due_at,
        "new_driven_at": unit.attempt.first_started_at,
        "new_tries": unit.attempt.entry.tries + 1,
        "new_result": storable(unit.attempt.reason),
    }


def share_of(free: int, held: int) -> int:
    """Say how many of the free places a receiver may take that holds some already: it leaves as many as it then holds.

    So one that hangs keeps half of all places and not the others' messages, and with several there is still room.
    """
    return max(0, (free - held + 1) // 2)


@dataclass(frozen=True, slots=True)
class Claim:
    """A request for entries that are due at `now`, to be held until `until`.

    Attributes:
        free: so many entries at most, and no more of each receiver than `share_of` says.
        held: how many entries of each receiver are in hand already.
    """

    now: datetime
    until: datetime
    free: int
    held: Mapping[str, int]
    keys: frozenset[str] = frozenset({"claim"})


def _receivers_of_what_is_due() -> Select[str]:
    """Find the receivers, the longest due first, in one step of the index for each, however many rows it has.

    This is the "loose index scan" of the PostgreSQL wiki; a GROUP BY would read the whole backlog at every sweep.
    """
    first = select(func.min(OUTBOX.c.receiver).label("receiver")).where(UNFINISHED)
    waiting = first.cte("waiting", recursive=True)
    following = select(func.min(OUTBOX.c.receiver)).where(UNFINISHED, OUTBOX.c.receiver > waiting.c.receiver)
    waiting = waiting.union_all(select(following.scalar_subquery()).where(waiting.c.receiver.is_not(None)))
    due_at = select(func.min(OUTBOX.c.due_at)).where(UNFINISHED, OUTBOX.c.receiver == waiting.c.receiver)
    return (
        select(waiting.c.receiver)
        .where(due_at.scalar_subquery() <= bindparam("now"))
        .order_by(due_at.scalar_subquery())
    )


_RECEIVERS: Final = _receivers_of_what_is_due()

_DUE: Final = (
    select(OUTBOX)
    .where(UNFINISHED)  # as literal text: SQLite takes a partial index only for the words of its condition
    .where(OUTBOX.c.receiver == bindparam("receiver"), OUTBOX.c.due_at <= bindparam("now"))
    .order_by(OUTBOX.c.due_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)

_HOLD: Final = (
    update(OUTBOX).where(OUTBOX.c.id == bindparam("held")).values(state=OutboxState.SENDING, due_at=bindparam("until"))
)


def claim_due(connection: Connection, units: Sequence[Claim]) -> Sequence[Sequence[OutboxEntry]]:
    """Claim for each unit in turn; on PostgreSQL several processes do so without waiting for each other."""
    return [_claim(connection, unit) for unit in units]


def _claim(connection: Connection, unit: Claim) -> Sequence[OutboxEntry]:
    rows: list[RowMapping] = []
    for receiver in connection.scalars(_RECEIVERS, {"now": unit.now}).all():
        limit = share_of(unit.free - len(rows), unit.held.get(receiver, 0))
        if limit:
            wanted = {"receiver": receiver, "now": unit.now, "limit": limit}
            rows += connection.execute(_DUE, wanted).mappings()
    if rows:
        connection.execute(_HOLD, [{"held": row["id"], "until": unit.until} for row in rows])
    # What a later release has written waits for one: it comes due again, and holds up nothing else.
    return [entry_of(row) for row in rows if find_message(row["message"])]


def entry_of(row: RowMapping) -> OutboxEntry:
    """Read an entry from its row. Raises LookupError if the catalogue has no such message."""
    message = find_message(row["message"])
    if message is None:
        raise LookupError(f"{row['message']} is no message of the catalogue")
    outgoing = Outgoing(row["receiver"], message, row["request_id"], json.loads(row["content"]))
    return OutboxEntry(row["id"], outgoing, row["driven_at"], row["tries"])


def new_entry(outgoing: Outgoing, now: datetime) -> OutboxEntry:
    """Make the entry of a message that is first to be tried at `now`."""
    return OutboxEntry(new_id(), outgoing, now)


def entry_row(entry: OutboxEntry, state: OutboxState, due_at: datetime) -> dict[str, Any]:
    """Write a new entry as a row."""
    return {
        "id": entry.id,
        "receiver": entry.outgoing.receiver,
        "request_id": entry.outgoing.request_id,
        "message": entry.outgoing.message.full_name,
        "content": dump_json(entry.outgoing.content).decode(),
        "state": state.value,
        "due_at": due_at,
        "created_at": entry.driven_at,
        "driven_at": entry.driven_at,
        "tries": entry.tries,
        "result": "",
    }


def verdict_text(failure: Failure | None, not_judged: Mapping[str, str] = NOTHING) -> str:
    """Write down as JSON which checks have not held, by name; those before a failure that are not there have held.

    In an array, which former versions wrote, stands each check.
    """
    exceptions = {name: [Outcome.NOT_JUDGED, why] for name, why in not_judged.items()}
    failed = {failure.check.name: [Outcome.FAILED, failure.found, failure.expected]} if failure else {}
    return dump_json(exceptions | failed).decode()


def storable(text: str) -> str:
    """Return a stranger's text as a table takes it: PostgreSQL takes no NUL, and no screen wants control characters."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "?" for character in text)


def _attempt_row(attempt: DeliveryAttempt) -> dict[str, Any]:
    return {
        "outbox_id": attempt.entry.id,
        "started_at": attempt.started_at,
        "milliseconds": attempt.milliseconds,
        "trace_id": attempt.trace_id,
        "kid": attempt.kid,
        "certificate": attempt.certificate,
        "signature": attempt.signature,
        "answer_signature": attempt.answer_signature,
        "outcome": attempt.outcome.value,
        "status": attempt.status,
        "reason": storable(attempt.reason),
        "sent": attempt.sent,
        "answer": attempt.answer,
        "steps": _verdict_text(attempt.verification),
    }


def _verdict_text(verification: Verification | None) -> str:
    return verdict_text(verification.failure, verification.not_judged) if verification else "[]"
