"""Accepting messages: the transaction behind every ack.

Nonce, requestId, inbox row with the signed original, the rule's decision, outbox rows and the signed ack become true
together or not at all. Many messages that arrive at the same time share one transaction; each reads and decides as if
it were alone: two that touch the same nonce or requestId never share one, and each meets the records as those before it
have left them. Timers that are due by the time of a message are fired before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, bindparam, insert, select
from sqlalchemy.exc import SQLAlchemyError

from shared.node.business_clock import BusinessClock
from shared.node.decisions import Decisions
from shared.node.ids import new_id
from shared.node.rules import Bound, BoundRules, Moment, Records, Reply
from shared.node.send.outbox import OutboxEntry, OutboxState, verdict_text
from shared.node.tables import DELETED_MESSAGES, INBOX, NONCES, OUTBOX
from shared.protocol.detached import signature_in
from shared.protocol.messages import MessageType
from shared.protocol.nonces import content_fingerprint, is_fingerprint_of
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from shared.protocol.profiles import SignedBody
from shared.protocol.verification import History


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified message to be accepted.

    Attributes:
        message_type: its row of the catalogue.
        rule: the business rule that decides; None where nothing needs to be done about it.
        ack: the signed ack that goes out if the message is accepted.
        first_due: when anyone may take the answer to the sender; a lease later if this process delivers it.
        state: the state in which that answer begins.
    """

    message: VerifiedMessage
    message_type: MessageType
    rule: Bound[VerifiedMessage] | None
    ack: SignedBody
    first_due: datetime
    state: OutboxState

    @property
    def keys(self) -> frozenset[str]:
        """What no other message of the same transaction may touch."""
        return frozenset((f"nonce {self.message.nonce.key}", f"request {self.message.request_id}"))


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of an arrival. It was accepted, now or before, if it is NEW or REPEATED and `problem` is None."""

    history: History
    problem: Problem | None = None
    reason: str = ""
    outbox: Sequence[OutboxEntry] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database knows of the batch before anything of it is written."""

    nonces: frozenset[str]
    accepted: Mapping[tuple[str, str], bytes]
    asked: frozenset[tuple[str, str, str]]


_KEYS: Final[BindParameter[Any]] = bindparam("keys", expanding=True)

_NONCES: Final = select(NONCES.c.key).where(NONCES.c.key.in_(_KEYS))
_DELETED: Final = DELETED_MESSAGES.c
_ACCEPTED: Final = (
    select(INBOX.c.sender, INBOX.c.request_id, INBOX.c.content_digest)
    .where(INBOX.c.request_id.in_(_KEYS))
    .union_all(
        select(_DELETED.peer, _DELETED.request_id, _DELETED.content_digest).where(
            _DELETED.request_id.in_(_KEYS), _DELETED.content_digest.is_not(None)
        )
    )
)
_ASKED: Final = (
    select(OUTBOX.c.receiver, OUTBOX.c.request_id, OUTBOX.c.message)
    .where(OUTBOX.c.request_id.in_(_KEYS))
    .union_all(select(_DELETED.peer, _DELETED.request_id, _DELETED.message).where(_DELETED.request_id.in_(_KEYS)))
)


def accept_messages(
    rules: BoundRules, clock: BusinessClock, connection: Connection, units: Sequence[Arrival]
) -> Sequence[Acceptance | Exception]:
    """Judge every arrival by what the database knows, then write what follows from all of them in this transaction.

    Where a rule raises, the result of its arrival is that exception, and nothing of its message is written.
    """
    known, decisions = _read(connection, units), Decisions(connection, rules, clock)
    decisions.find_timers(max(unit.message.received_at for unit in units))
    batch = _Batch(units, known, decisions)
    results = [batch.take(number) for number in range(len(units))]
    batch.write(connection)
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
    )


class _Batch:
    """A batch of arrivals, and the rows that it leads to."""

    def __init__(self, units: Sequence[Arrival], known: _Known, decisions: Decisions) -> None:
        self.units = units
        self.known = known
        self.decisions = decisions
        self.nonces: list[dict[str, Any]] = []
        self.inbox: list[dict[str, Any]] = []
        self._histories = [_history(unit, known) for unit in units]
        decisions.foresee(
            (number, partial(self._reply, unit, unit.rule), unit.message.received_at)
            for number, unit in enumerate(units)
            if unit.rule is not None and self._histories[number] is History.NEW and _is_asked(unit, known)
        )

    def take(self, number: int) -> Acceptance | Exception:
        """Judge one arrival, and keep the rows that follow from it."""
        unit, history = self.units[number], self._histories[number]
        if history in (History.NONCE_USED, History.CONFLICT):
            return Acceptance(history)
        if history is History.REPEATED:
            self.nonces.append({"key": unit.message.nonce.key})
            return Acceptance(history)
        if not _is_asked(unit, self.known):
            # One answer for "never asked" and "asked somebody else": a stranger must not learn which requestIds exist.
            request = unit.message_type.answers
            reason = f"no {request and request.full_name} with this requestId was sent to this participant"
            return Acceptance(history, Problem.UNKNOWN_REFERENCE, reason)
        self.decisions.fire(unit.message.received_at)
        try:
            reply = self._decide(number, unit)
        except SQLAlchemyError:
            raise
        except Exception as error:
            return error
        if reply.problem is not None:
            return Acceptance(history, reply.problem, reply.reason)
        return Acceptance(history, outbox=self._keep(unit, reply))

    def _decide(self, number: int, unit: Arrival) -> Reply:
        if unit.rule is None:
            return Reply()
        return self.decisions.decide(partial(self._reply, unit, unit.rule), unit.message.received_at, number)

    def _reply(self, unit: Arrival, rule: Bound[VerifiedMessage], records: Records) -> Reply:
        return rule(unit.message, records, self._moment(unit))

    def _moment(self, unit: Arrival) -> Moment:
        return self.decisions.at(unit.message.received_at)

    def _keep(self, unit: Arrival, reply: Reply) -> Sequence[OutboxEntry]:
        self.nonces.append({"key": unit.message.nonce.key})
        self.inbox.append(_inbox_row(unit))
        sender = unit.message.sender.id
        return self.decisions.keep(reply, self._moment(unit), unit.state, unit.first_due, sender)

    def write(self, connection: Connection) -> None:
        """Write all rows, a statement per table."""
        for table, rows in ((NONCES, self.nonces), (INBOX, self.inbox)):
            if rows:
                connection.execute(insert(table), rows)
        self.decisions.write()


def _history(unit: Arrival, known: _Known) -> History:
    message = unit.message
    if message.nonce.key in known.nonces:
        return History.NONCE_USED
    earlier = known.accepted.get((message.sender.id, message.request_id))
    if earlier is None:
        return History.NEW
    repeats = is_fingerprint_of(earlier, unit.message_type.full_name, message.document)
    return History.REPEATED if repeats else History.CONFLICT


def _request_of(unit: Arrival) -> MessageType | None:
    """Return the request that the message must answer."""
    return None if unit.message_type.may_come_unasked else unit.message_type.answers


def _is_asked(unit: Arrival, known: _Known) -> bool:
    """Tell whether we have sent the request that the message must answer, if it must answer one."""
    request, message = _request_of(unit), unit.message
    return request is None or (message.sender.id, message.request_id, request.full_name) in known.asked


def _inbox_row(unit: Arrival) -> dict[str, Any]:
    message = unit.message
    return {
        "id": new_id(),
        "sender": message.sender.id,
        "request_id": message.request_id,
        "message": unit.message_type.full_name,
        "trace_id": message.nonce.trace_id,
        "kid": message.kid,
        "certificate": message.wire.peer.certificate,
        "address": message.wire.peer.address,
        "received_at": message.received_at,
        "content_digest": content_fingerprint(unit.message_type.full_name, message.document),
        "raw": message.wire.body,
        "signature": signature_in(message.wire.headers),
        "ack": unit.ack.body,
        "ack_signature": signature_in(unit.ack.headers),
        "steps": verdict_text(None),
    }
