"""The signed texts that a node has under a requestId, each judged again, in the order of the exchange."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from shared.catalogue.table import find_message
from shared.node.evidence.judging import SignedText, judge, profile_of
from shared.node.evidence.remembered import Remembered
from shared.node.journal_rows import rows_under, tries_of
from shared.node.send.client import UNSIGNED
from shared.node.send.outbox import AttemptOutcome
from shared.node.tables import INBOX, OUTBOX
from shared.protocol.participants import PublicKey
from shared.protocol.phases import Peer
from shared.protocol.problems import SUCCESS
from shared.protocol.profiles import V3, Judged, Profile


class Verdict(StrEnum):
    """What the evidence says of a part."""

    HOLDS = "holds"
    FAILS = "does not hold"
    NOTHING = "nothing to verify"


@dataclass(frozen=True, slots=True)
class Part:
    """One text that travelled, or should have.

    Attributes:
        name: the beginning of the names of its files.
        what: what it is, in words.
        text: the exact bytes, and who has to have signed them; without bytes nothing travelled.
        judged: the checks that were made again; None where it claims nothing, and `note` says why.
        errors: what does not hold; they may quote what a stranger, or whoever spoiled a row, has written.
        says: members that the signed payload has to have, with their values.
        is_accepted: whether it is a valid ack that accepts, or a message that one here accepts.
    """

    name: str
    what: str
    text: SignedText
    judged: Judged | None = None
    errors: Sequence[str] = ()
    note: str = ""
    says: Sequence[tuple[str, str]] = ()
    is_accepted: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether it holds."""
        if self.errors:
            return Verdict.FAILS
        return Verdict.HOLDS if self.judged is not None else Verdict.NOTHING

    @property
    def kid(self) -> str:
        """The kid of its key, empty where none can be read."""
        return self.judged.kid if self.judged is not None else ""

    @property
    def key(self) -> PublicKey | None:
        """The signer's key of that kid, with the status that it had then."""
        holder = self.judged.holder if self.judged is not None else None
        return holder.by_kid.get(self.kid) if holder is not None else None


def gather(connection: Connection, request_id: str, own_ids: Mapping[str, str], register: Remembered) -> list[Part]:
    """Gather and judge what a node has accepted and sent under a requestId, in the order of the exchange.

    `own_ids` says by which id the node is known under each profile. The connection is in a transaction that reads.
    Messages that were refused here are not among it.
    """
    sent = rows_under(connection, OUTBOX, request_id)  # before the tries, so that none seems to be missing
    tries = tries_of(connection, [row.id for row in sent])
    parts: list[Part] = []
    rows = sorted([*sent, *rows_under(connection, INBOX, request_id)], key=_order)
    for number, row in enumerate(rows, start=1):
        own_id = own_ids.get(profile_of(find_message(row.message)).name, own_ids[V3.name])
        message = _Message(row, f"{number}-{_kind(row)}", own_id, register)
        parts += message.sent(tries[row.id]) if row.id in tries else message.received()
    return parts


def _kind(row: Row[Any]) -> str:
    message_type = find_message(row.message)
    return "message" if message_type is None else "callback" if message_type.answers else "request"


def _order(row: Row[Any]) -> tuple[bool, datetime, str]:
    """Return the order: a lender's callback is stored together with its request."""
    columns = row._mapping
    return _kind(row) == "callback", columns["created_at" if "created_at" in columns else "received_at"], row.id


@dataclass(frozen=True, slots=True)
class _Message:
    """A row of the inbox or the outbox, and how its parts are called; `own_id` is who we are in its profile."""

    row: Row[Any]
    name: str
    own_id: str
    register: Remembered

    @property
    def profile(self) -> Profile:
        """The profile of the message."""
        return profile_of(find_message(self.row.message))

    def received(self) -> Iterator[Part]:
        """Judge a message that came in, and the ack that we gave it."""
        row, peer = self.row, Peer(self.row.certificate, self.row.address)
        theirs = SignedText(row.raw, row.sender, row.received_at, self.profile, peer, row.signature)
        ours = SignedText(row.ack, self.own_id, row.received_at, self.profile, signature=row.ack_signature)
        for part in self._with_ack(self._judged(theirs), row.trace_id, ours):
            yield replace(part, name=self.name + part.name)

    def sent(self, tries: Sequence[Row[Any]]) -> Iterator[Part]:
        """Verify every attempt with its answer. The first accepted one, or else the last, has the plain name."""
        if not tries:
            nothing = SignedText(b"", self.own_id, self.row.created_at)
            yield replace(self._part(nothing), name=self.name, note="no try to deliver it is in the journal")
            return
        judged = [self._try(attempt) for attempt in tries]
        decisive = next((parts for parts in judged if parts[0].is_accepted), judged[-1])
        for number, parts in enumerate(judged, start=1):
            name = self.name if parts is decisive else f"{self.name}-try-{number}"
            yield from (replace(part, name=name + part.name) for part in parts)

    def _try(self, attempt: Row[Any]) -> Sequence[Part]:
        """Verify an attempt and its answer: a valid ack counts, whatever the row says; a failed one may have none."""
        has_failed, peer = attempt.outcome == AttemptOutcome.FAILED, Peer(attempt.certificate, "")
        ours = SignedText(attempt.sent, self.own_id, attempt.started_at, self.profile, signature=attempt.signature)
        was_sent = attempt.sent or not has_failed
        message = self._judged(ours) if was_sent else replace(self._part(ours), note="nothing was sent")
        if has_failed and not attempt.answer:
            return [message]
        arrived = attempt.started_at + timedelta(milliseconds=attempt.milliseconds)
        theirs = SignedText(attempt.answer, self.row.receiver, arrived, self.profile, peer, attempt.answer_signature)
        is_unsigned = attempt.reason == UNSIGNED and self.profile.wants_token and not attempt.answer_signature
        return self._with_ack(message, attempt.trace_id, theirs, claims_one=not (has_failed or is_unsigned))

    def _part(self, text: SignedText) -> Part:
        return Part("", f"{self.row.message} of {text.signer}", text)

    def _judged(self, text: SignedText) -> Part:
        row, message_type = self.row, find_message(self.row.message)
        judged = judge(text, self.register, message_type)
        opened, errors = judged.opened, _failures(judged)
        if message_type is None:
            errors.append(f"{row.message} is no message of the catalogue")
        elif not errors and opened.claims.request_id != row.request_id:
            errors.append(f"it is signed under requestId {opened.claims.request_id}, not {row.request_id}")
        timestamp = opened.claims.metadata.get("timestamp")
        stamped = (("traceId", opened.claims.trace_id), ("timestamp", timestamp if isinstance(timestamp, str) else ""))
        says = (("requestId", row.request_id), *stamped, (text.profile.sender_member, text.signer))
        return replace(self._part(text), judged=judged, errors=errors, says=says)

    def _with_ack(
        self, message: Part, noted_trace_id: str, text: SignedText, *, claims_one: bool = True
    ) -> Sequence[Part]:
        """Add the ack of a message, judged by the traceId that is signed there; if it has none, by the one noted.

        Where the row does not claim that there was an ack, what is no valid one proves nothing, and is not at fault.
        """
        trace_id = (message.judged.opened.claims.trace_id if message.judged else "") or noted_trace_id
        judged, what = judge(text, self.register, answers=trace_id), f"ack of {text.signer}"
        errors = _failures(judged)
        if errors and not claims_one:
            return [message, Part("-ack", what, text, note=f"no ack that counts: {errors[0]}")]
        error = judged.identified.ack.get("error") if judged.identified is not None else None
        says = (("error", error if isinstance(error, str) else ""), ("traceId", trace_id))
        ack = Part("-ack", what, text, judged, errors, says=says, is_accepted=not errors and error == SUCCESS)
        return [replace(message, is_accepted=ack.is_accepted and message.verdict is Verdict.HOLDS), ack]


def _failures(judged: Judged) -> list[str]:
    """Say which check has failed, if one has."""
    failure = judged.verification.failure
    return [f"{failure.check.name}: expected {failure.expected}; found {failure.found}"] if failure else []
