"""A profile is one way in which OCEN dresses a message: what is signed, how, and which checks judge it.

The mount (`/v3`) picks the profile, never the message itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from shared.protocol import checks
from shared.protocol.encoding import dump_json, format_timestamp
from shared.protocol.envelope import seal
from shared.protocol.nonces import FreshnessWindow, Nonce
from shared.protocol.participants import EnvelopeMember, Participant
from shared.protocol.signing import SigningKey
from shared.protocol.verification import (
    Check,
    Examination,
    ExpectedMessage,
    History,
    Need,
    Outcome,
    Peer,
    Step,
    Verification,
    VerifiedMessage,
    WireMessage,
    conclude,
    examine,
)

T = TypeVar("T")

_REQUEST = frozenset({Need.REQUEST, Need.CONNECTION, Need.KEY, Need.DIRECTORY, Need.CLOCK, Need.MESSAGE_TYPE})
_ACK = frozenset({Need.CONNECTION, Need.KEY, Need.DIRECTORY, Need.SENT_MESSAGE})


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to dress messages.

    Attributes:
        mount: first segment of every path of the profile.
        algorithm: the only JWS algorithm, bound to each key under this profile.
        metadata_version: what `metadata.version` says in messages that we send.
        ack_timeout: how long an ack is awaited.
    """

    name: str
    mount: str
    algorithm: str
    metadata_version: str
    ack_timeout: timedelta
    opening_checks: tuple[Check, ...]
    verdict_checks: tuple[Check, ...]
    journal_checks: tuple[Check, ...]
    ack_opening_checks: tuple[Check, ...]
    ack_verdict_checks: tuple[Check, ...]

    @property
    def request_checks(self) -> tuple[Check, ...]:
        """All checks of a message, in order."""
        return self.opening_checks + self.verdict_checks + self.journal_checks

    @property
    def ack_checks(self) -> tuple[Check, ...]:
        """All checks of an ack, in order."""
        return self.ack_opening_checks + self.ack_verdict_checks

    def dress(self, payload: bytes, key: SigningKey, member: EnvelopeMember) -> bytes:
        """Return the exact bytes that travel for these payload bytes, signed with the key."""
        return seal(payload, key, member).to_bytes()

    def stamp(self, content: Mapping[str, Any], sender: str, trace_id: str, now: datetime) -> bytes:
        """Write the payload of a message: its content under fresh metadata (OCEN v3 metadata; `now` aware)."""
        metadata = {
            **content.get("metadata", {}),
            "version": self.metadata_version,
            "timestamp": format_timestamp(now),
            "traceId": trace_id,
            "orgId": sender,
        }
        return dump_json({"metadata": metadata, **{k: v for k, v in content.items() if k != "metadata"}})

    def open(
        self,
        wire: WireMessage,
        message_type: ExpectedMessage | None,
        allowed_methods: tuple[str, ...],
        now: datetime,
        window: FreshnessWindow,
    ) -> Examination:
        """Begin to examine a message that came in: everything that can be judged before its sender is looked up."""
        examination = Examination(
            body=wire.body,
            algorithm=self.algorithm,
            wire=wire,
            peer=wire.peer,
            message_type=message_type,
            allowed_methods=allowed_methods,
            now=now,
            window=window,
            provided=_REQUEST,
        )
        examine(examination, self.opening_checks)
        return examination

    def judge(self, examination: Examination, holder: Participant | None) -> None:
        """Go on with an opened examination once the holder of the kid is known (None: nobody holds it)."""
        examination.holder = holder
        examine(examination, self.verdict_checks)

    def judge_history(self, examination: Examination, history: History) -> None:
        """Finish with what the journal knows of the message's nonce and requestId."""
        examination.history = history
        examination.provided |= {Need.JOURNAL}
        examine(examination, self.journal_checks)

    def verdict(self, examination: Examination) -> Verification:
        """Close the examination of a message."""
        return conclude(examination, self.request_checks)

    def accept(self, examination: Examination) -> VerifiedMessage:
        """Make the verified message of an examination in which every check but the journal's has passed.

        Raises:
            ValueError: a check has not passed; a caller that asks is wrong, and nothing must come of it.
        """
        passed = tuple(step.check for step in examination.steps if step.outcome is Outcome.PASSED)
        if passed != self.opening_checks + self.verdict_checks:
            raise ValueError("only a message for which every check held becomes a verified message")
        wire, holder, envelope, content = (
            _known(examination.wire),
            _known(examination.holder),
            _known(examination.envelope),
            _known(examination.content),
        )
        sender, metadata = holder.organisation_id, examination.metadata
        new = tuple(Step(one, Outcome.PASSED, "", History.NEW.value) for one in self.journal_checks)
        return VerifiedMessage(
            message_type=_known(examination.message_type),
            sender=holder,
            envelope=envelope,
            kid=examination.header["kid"],
            payload=examination.payload,
            document=examination.document,
            content=content,
            nonce=Nonce(sender, metadata["traceId"], metadata["timestamp"], _known(examination.instant)),
            request_id=examination.document["requestId"],
            wire=wire,
            received_at=_known(examination.now),
            verification=Verification((*examination.steps, *new), None),
        )

    def examine_ack(self, body: bytes, peer: Peer, callee: Participant, trace_id: str) -> Examination:
        """Judge the answer to a message that we sent: only a key of the party that we called counts."""
        examination = Examination(body=body, algorithm=self.algorithm, peer=peer, sent_trace_id=trace_id, provided=_ACK)
        examine(examination, self.ack_opening_checks)
        if examination.problem is None:
            known = callee.key(examination.kid or "") is not None
            examination.holder = callee if known else None
            examine(examination, self.ack_verdict_checks)
        return examination

    def examine_offline(
        self,
        body: bytes,
        key_for: Callable[[str], Participant | None],
        message_type: ExpectedMessage | None = None,
        at: datetime | None = None,
    ) -> Verification:
        """Judge an envelope from a file: `key_for` gives the holder of a kid; freshness only with a time `at`."""
        given = {Need.KEY: True, Need.CLOCK: at is not None, Need.MESSAGE_TYPE: message_type is not None}
        examination = Examination(
            body=body,
            algorithm=self.algorithm,
            message_type=message_type,
            now=at,
            provided=frozenset(need for need, there in given.items() if there),
        )
        examine(examination, self.opening_checks)
        if examination.problem is None:
            examination.holder = key_for(examination.kid or "")
            examine(examination, self.verdict_checks + self.journal_checks)
        return conclude(examination, self.request_checks)


def _known(value: T | None) -> T:
    if value is None:
        raise ValueError("an examination that passed lacks a part")
    return value


V3 = Profile(
    name="v3",
    mount="/v3",
    algorithm="RS512",
    metadata_version="1.0",
    ack_timeout=timedelta(seconds=4),
    opening_checks=checks.OPENING_CHECKS,
    verdict_checks=checks.VERDICT_CHECKS,
    journal_checks=checks.JOURNAL_CHECKS,
    ack_opening_checks=checks.ACK_OPENING_CHECKS,
    ack_verdict_checks=checks.ACK_VERDICT_CHECKS,
)
"""OCEN v3 ("BHIM for lending", seed 002): a flattened JWS in the body, RS512."""

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in (V3,)})
"""The profiles by name, which is also the `version` of their messages."""
