"""Gathering: which rows of the journal and the register the evidence of a requestId is made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row

from shared.catalogue.table import find_message
from shared.node.evidence.judging import profile_of
from shared.node.evidence.parts import Part, Verdict
from shared.node.evidence.received import received_parts
from shared.node.evidence.remembered import Remembered, Sighted
from shared.node.evidence.sent import sent_parts
from shared.node.journal_rows import rows_under, tries_of
from shared.node.onboarding.history import CertificateHistory, KeyHistory
from shared.node.tables import INBOX, OUTBOX
from shared.protocol.profiles import V3, V4, Profile

Registers = Mapping[str, Remembered]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that travelled under a requestId, judged again.

    Attributes:
        own_id: the organisation whose node has the journal.
        parts: in the order of the exchange.
        keys: by organisation id, the keys that a part names, and those that counted when a part travelled.
        certificates: the same of TLS certificates.
    """

    request_id: str
    own_id: str
    parts: Sequence[Part]
    keys: Sequence[tuple[str, KeyHistory]]
    certificates: Sequence[tuple[str, CertificateHistory]]

    @property
    def holds(self) -> bool:
        """Whether no part fails."""
        return all(part.verdict is not Verdict.FAILS for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Message:
    """A row of inbox or outbox."""

    row: Row[Any]
    peer: str
    at: datetime
    tries: Sequence[Row[Any]] | None  # None: it was received

    @property
    def profile(self) -> Profile:
        return profile_of(find_message(self.row.message))

    @property
    def kind(self) -> str:
        message_type = find_message(self.row.message)
        return "message" if message_type is None else "callback" if message_type.answers else "request"

    @property
    def order(self) -> tuple[bool, datetime, str]:
        # A lender's callback is written down together with its request.
        return self.kind == "callback", self.at, self.row.id


def gather(connection: Connection, request_id: str, own_ids: Mapping[str, str]) -> Evidence | None:
    """Gather and judge what a node has accepted and sent under a requestId; None if that is nothing.

    `own_ids` says by which id the node is known under each profile. The connection is in a transaction that reads.
    Messages that were refused here are not among it.
    """
    messages = sorted(_messages(connection, request_id), key=lambda message: message.order)
    if not messages:
        return None
    registers = registers_of(connection, own_ids)
    parts: list[Part] = []
    for number, message in enumerate(messages, start=1):
        name, version = f"{number}-{message.kind}", message.profile.name
        own_id, register = own_ids.get(version, own_ids[V3.name]), registers[version]
        if message.tries is None:
            judged = list(received_parts(message.row, name, own_id, register))
        else:
            judged = list(sent_parts(message.row, message.tries, name, own_id, register))
        parts += _with_its_request(judged, message, messages)
    return Evidence(request_id, own_ids[V3.name], parts, _keys(parts, registers), _certificates(parts, registers))


def registers_of(connection: Connection, own_ids: Mapping[str, str]) -> Registers:
    """Return who is remembered under each profile, by whose own ids."""
    register = Remembered(connection)
    own = register.history(own_ids[V3.name])
    return {V3.name: register, V4.name: Sighted(connection, own, own_ids.get(V4.name, ""))}


def _messages(connection: Connection, request_id: str) -> Iterator[_Message]:
    sent = rows_under(connection, OUTBOX, request_id)  # before the tries, so that none seems to be missing
    tries = tries_of(connection, [row.id for row in sent])
    for row in sent:
        yield _Message(row, row.receiver, row.created_at, tries[row.id])
    for row in rows_under(connection, INBOX, request_id):
        yield _Message(row, row.sender, row.received_at, None)


def _with_its_request(parts: list[Part], message: _Message, messages: Sequence[_Message]) -> list[Part]:
    """Add a flaw to an accepted callback whose request is not in the journal."""
    message_type = find_message(message.row.message)
    request = message_type.answers.full_name if message_type and message_type.answers else ""
    theirs = [
        one
        for one in messages
        if one.peer == message.peer and one.row.message == request and (one.tries is None) != (message.tries is None)
    ]
    message_part = next((part for part in parts if part.is_accepted), None)  # its ack is the next
    if message_part is None or not request or theirs:
        return parts
    flaw = f"the {request} that it answers is not in the journal"
    flawed = replace(message_part, flaws=(*message_part.flaws, flaw))
    return [flawed if part is message_part else part for part in parts]


def _keys(parts: Sequence[Part], registers: Mapping[str, Remembered]) -> list[tuple[str, KeyHistory]]:
    found = {}
    for part in parts:
        history = registers[part.text.profile.name].history(part.text.signer)
        # The key that a part was verified with comes last: its kid may have meant another one at other times.
        for key in sorted(history.keys, key=partial(_verified, part)) if history else ():
            status = key.status_at(part.text.at)
            if key.kid == part.kid or (status is not None and status.counts):
                found[key.kid] = (part.text.signer, key)
    return [found[kid] for kid in sorted(found)]


def _verified(part: Part, key: KeyHistory) -> bool:
    used = part.judged.identified.key if part.judged and part.judged.identified else None
    return used is not None and used.kid == key.kid and used.verifier.thumbprint() == key.thumbprint


def _certificates(parts: Sequence[Part], registers: Mapping[str, Remembered]) -> list[tuple[str, CertificateHistory]]:
    found = {}
    for part in parts:
        history = registers[part.text.profile.name].history(part.text.signer)
        shown = part.text.peer.certificate if part.text.peer else ""
        for one in history.certificates if history else ():
            if one.thumbprint == shown or one.counts_at(part.text.at):
                found[part.text.signer, one.thumbprint, one.registered_at] = (part.text.signer, one)
    return [found[place] for place in sorted(found)]
