"""Accepting messages: the transaction behind every ack.

Nonce, requestId, inbox row with the signed original, the rule's decision, outbox rows and the signed ack become true
together or not at all. Many messages that arrive at the same time share one transaction; each reads and decides as if
it were alone: two that touch the same nonce or requestId never share one, and journeys are decided on in order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, bindparam, insert, select

from shared.node.batch_journeys import BatchJourneys
from shared.node.ids import new_id
from shared.node.journeys import Decision, Notice, Rule
from shared.node.send.outbox import OutboxEntry, OutboxState, entry_row, new_entry, verdict_text
from shared.node.tables import INBOX, NONCES, NOTICES, OUTBOX
from shared.protocol.detached import signature_in
from shared.protocol.messages import MessageType
from shared.protocol.nonces import content_fingerprint, is_fingerprint_of
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from shared.protocol.profiles import Dressed
from shared.protocol.verification import History


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified message to be accepted.

    Attributes:
        message_type: its row of the catalogue.
        rule: the business rule that decides.
        ack: the signed ack that goes out if the message is accepted.
        first_due: when anyone may take the outbox rows that come of it; a lease later if this process delivers them.
        state: the state in which those rows begin.
        journey_keys: of the journeys that the rule needs, as far as the message alone tells.
        keys: what no other message of the same transaction may touch.
    """

    message: VerifiedMessage
    message_type: MessageType
    rule: Rule
    ack: Dressed
    first_due: datetime
    state: OutboxState
    journey_keys: Sequence[str] = field(init=False)
    keys: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        # Here a rule that raises harms its own message alone; in the transaction the whole batch would be run again.
        object.__setattr__(self, "journey_keys", tuple(self.rule.journey_keys(self.message)))
        own = (f"nonce {self.message.nonce.key}", f"request {self.message.request_id}")
        object.__setattr__(self, "keys", frozenset(own))


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of an arrival. It was accepted, now or before, if it is NEW or REPEATED and `problem` is None."""

    history: History
    problem: Problem | None = None
    reason: str = ""
    outbox: Sequence[OutboxEntry] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database knows of the batch before anything of it is written; its journeys include what earlier
    arrivals of the batch have changed."""

    nonces: frozenset[str]
    accepted: Mapping[tuple[str, str], bytes]
    asked: frozenset[tuple[str, str, str]]
    journeys: BatchJourneys


_KEYS: Final[BindParameter[Any]] = bindparam("keys", expanding=True)

_NONCES: Final = select(NONCES.c.key).where(NONCES.c.key.in_(_KEYS))
_ACCEPTED: Final = select(INBOX.c.sender, INBOX.c.request_id, INBOX.c.content_digest).where(
    INBOX.c.request_id.in_(_KEYS)
)
_ASKED: Final = select(OUTBOX.c.receiver, OUTBOX.c.request_id, OUTBOX.c.message).where(OUTBOX.c.request_id.in_(_KEYS))


def accept_messages(connection: Connection, units: Sequence[Arrival]) -> Sequence[Acceptance]:
    """Judge every arrival by what is known, then write what follows from all of them."""
    known = _read(connection, units)
    digests = [content_fingerprint(unit.message_type.full_name, unit.message.document) for unit in units]
    batch = _Batch()
    results = [batch.take(unit, digest, known) for unit, digest in zip(units, digests, strict=True)]
    batch.write(connection)
    known.journeys.write()
    return results


def _read(connection: Connection, units: Sequence[Arrival]) -> _Known:
    def rows(statement: Any, keys: list[str]) -> Sequence[Any]:
        return connection.execute(statement, {"keys": keys}).all() if keys else ()

    request_ids = [unit.message.request_id for unit in units]
    callbacks = [unit.message.request_id for unit in units if _request_of(unit)]
    return _Known(
        nonces=frozenset(key for (key,) in rows(_NONCES, [unit.message.nonce.key for unit in units])),
        accepted={(sender, id_): digest for sender, id_, digest in rows(_ACCEPTED, request_ids)},
        asked=frozenset(tuple(row) for row in rows(_ASKED, callbacks)),
        journeys=_journeys(connection, units),
    )


class _Batch:
    """The rows that a batch of arrivals leads to."""

    def __init__(self) -> None:
        self.nonces: list[dict[str, Any]] = []
        self.inbox: list[dict[str, Any]] = []
        self.outbox: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []

    def take(self, unit: Arrival, digest: bytes, known: _Known) -> Acceptance:
        """Judge one arrival, and keep the rows that follow from it."""
        history = _history(unit, known)
        if history in (History.NONCE_USED, History.CONFLICT):
            return Acceptance(history)
        if history is History.REPEATED:
            self.nonces.append({"key": unit.message.nonce.key})
            return Acceptance(history)
        decision = _decide(unit, known)
        if decision.problem is not None:
            return Acceptance(history, decision.problem, decision.reason)
        known.journeys.keep(decision.journeys)
        return Acceptance(history, outbox=self._keep(unit, digest, decision))

    def _keep(self, unit: Arrival, digest: bytes, decision: Decision) -> Sequence[OutboxEntry]:
        now = unit.message.received_at
        entries = [new_entry(outgoing, now) for outgoing in decision.outgoing]
        self.nonces.append({"key": unit.message.nonce.key})
        self.inbox.append(_inbox_row(unit, digest))
        self.outbox += [entry_row(entry, unit.state, unit.first_due) for entry in entries]
        self.notices += [_notice_row(notice, now) for notice in decision.notices]
        return entries

    def write(self, connection: Connection) -> None:
        """Write all rows, a statement per table."""
        tables = ((NONCES, self.nonces), (INBOX, self.inbox), (OUTBOX, self.outbox), (NOTICES, self.notices))
        for table, rows in tables:
            if rows:
                connection.execute(insert(table), rows)


def _journeys(connection: Connection, units: Sequence[Arrival]) -> BatchJourneys:
    """Read for all arrivals at once the journeys that the messages name, then those that these journeys lead to."""
    journeys = BatchJourneys(connection)
    journeys.read(key for unit in units for key in unit.journey_keys)
    journeys.read([key for unit in units for key in _further_keys(unit, journeys)])
    return journeys


def _further_keys(unit: Arrival, journeys: BatchJourneys) -> Sequence[str]:
    return unit.rule.further_keys(unit.message, journeys.alive(unit.journey_keys, unit.message.received_at))


def _history(unit: Arrival, known: _Known) -> History:
    message = unit.message
    if message.nonce.key in known.nonces:
        return History.NONCE_USED
    earlier = known.accepted.get((message.sender.organisation_id, message.request_id))
    if earlier is None:
        return History.NEW
    repeats = is_fingerprint_of(earlier, unit.message_type.full_name, message.document)
    return History.REPEATED if repeats else History.CONFLICT


def _request_of(unit: Arrival) -> MessageType | None:
    """Return the request that the message must answer."""
    return None if unit.message_type.may_come_unasked else unit.message_type.answers


def _decide(unit: Arrival, known: _Known) -> Decision:
    message, request = unit.message, _request_of(unit)
    if request and (message.sender.organisation_id, message.request_id, request.full_name) not in known.asked:
        # One answer for "never asked" and "asked somebody else": a stranger must not learn which requestIds exist.
        reason = f"no {request.full_name} with this requestId was sent to this participant"
        return Decision(Problem.UNKNOWN_REFERENCE, reason)
    now = message.received_at
    wanted = (*unit.journey_keys, *_further_keys(unit, known.journeys))
    return unit.rule.decide(message, known.journeys.alive(wanted, now), now)


def _inbox_row(unit: Arrival, digest: bytes) -> dict[str, Any]:
    message = unit.message
    return {
        "id": new_id(),
        "sender": message.sender.organisation_id,
        "request_id": message.request_id,
        "message": unit.message_type.full_name,
        "trace_id": message.nonce.trace_id,
        "kid": message.kid,
        "certificate": message.wire.peer.certificate,
        "address": message.wire.peer.address,
        "received_at": message.received_at,
        "content_digest": digest,
        "raw": message.wire.body,
        "signature": signature_in(message.wire.headers),
        "ack": unit.ack.body,
        "ack_signature": signature_in(unit.ack.headers),
        "steps": verdict_text(None),
    }


def _notice_row(notice: Notice, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "created_at": now,
        "expires_at": notice.expires_at,
        "recipient": notice.recipient,
        "reference": notice.reference,
        "text": notice.text,
    }
