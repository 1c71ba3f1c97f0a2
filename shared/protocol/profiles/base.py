"""A profile is one way in which OCEN dresses a message: what is signed, how, and which checks judge it.

The mount (`/v3`, `/v4.0.0alpha`) picks the profile, never the message itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from shared.protocol.messages import MessageType
from shared.protocol.nonces import FreshnessWindow, Nonce
from shared.protocol.participants import Participant
from shared.protocol.profiles.dressed import Claimed, Dressed, Originator, Style
from shared.protocol.signing import SigningKey
from shared.protocol.tokens import Issuer
from shared.protocol.verification import (
    Check,
    Examination,
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

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_REQUEST = frozenset(
    {
        Need.REQUEST,
        Need.CONNECTION,
        Need.KEY,
        Need.DIRECTORY,
        Need.CLOCK,
        Need.MESSAGE_TYPE,
        Need.ISSUER,
        Need.NETWORK,
    }
)
_ACK = frozenset({Need.CONNECTION, Need.KEY, Need.DIRECTORY, Need.SENT_MESSAGE})


@dataclass(frozen=True, slots=True)
class Profile(ABC):
    """One way to dress messages.

    Attributes:
        mount: first segment of every path of the profile.
        algorithm: the only JWS algorithm, bound to each key under this profile.
        metadata_version: what `metadata.version` says in messages that we send.
        ack_timeout: how long an ack is awaited.
        head_checks: what is judged before the body is read.
        opening_checks: what can be judged once the body is there, before anybody is looked up.
        token_checks: what is judged once the Auth Service's keys are known.
        verdict_checks: what is judged once it is known who the sender is.
        id_in_metadata: whether the requestId stands in the metadata rather than beside it.
        sender_member: the member of the metadata that names the sender.
    """

    name: str
    mount: str
    algorithm: str
    metadata_version: str
    ack_timeout: timedelta
    head_checks: tuple[Check, ...]
    opening_checks: tuple[Check, ...]
    token_checks: tuple[Check, ...]
    verdict_checks: tuple[Check, ...]
    journal_checks: tuple[Check, ...]
    ack_opening_checks: tuple[Check, ...]
    ack_verdict_checks: tuple[Check, ...]
    id_in_metadata: bool
    sender_member: str

    @property
    def request_checks(self) -> tuple[Check, ...]:
        """All checks of a message, in order."""
        return self.head_checks + self.opening_checks + self.token_checks + self.verdict_checks + self.journal_checks

    @property
    def wants_token(self) -> bool:
        """Whether every call carries an access token."""
        return bool(self.token_checks)

    @property
    def ack_checks(self) -> tuple[Check, ...]:
        """All checks of an ack, in order."""
        return self.ack_opening_checks + self.ack_verdict_checks

    @abstractmethod
    def dress(self, payload: bytes, key: SigningKey, style: Style) -> Dressed:
        """Return what travels for these payload bytes, signed with the key."""

    @abstractmethod
    def stamp(
        self, content: Mapping[str, Any], sender: Originator, request_id: str, trace_id: str, now: datetime
    ) -> bytes:
        """Write the payload of a message: its content under fresh metadata (`now` aware)."""

    @abstractmethod
    def style_for(self, receiver: Participant) -> Style:
        """Return how a message that we begin is dressed for a participant."""

    @abstractmethod
    def style_of(self, examination: Examination) -> Style:
        """Return how an answer to this message is dressed, whatever is wrong with the message."""

    @abstractmethod
    def claimed(self, examination: Examination) -> Claimed:
        """Read what a refused message says of itself; what cannot be read is empty."""

    @abstractmethod
    def payload_of(self, body: bytes) -> bytes:
        """Return the payload in a body.

        Raises:
            EncodingError: there is none.
        """

    def open(
        self,
        wire: WireMessage,
        message_type: MessageType | None,
        allowed_methods: tuple[str, ...],
        now: datetime,
        window: FreshnessWindow,
    ) -> Examination:
        """Begin to examine a message that came in: everything that can be judged before its sender is looked up."""
        examination = self.open_head(wire, message_type, allowed_methods, now, window)
        self.open_body(examination, wire.body)
        return examination

    def open_head(
        self,
        wire: WireMessage,
        message_type: MessageType | None,
        allowed_methods: tuple[str, ...],
        now: datetime,
        window: FreshnessWindow,
    ) -> Examination:
        """Begin to examine a message whose body need not have been read yet."""
        examination = Examination(
            body=b"",
            algorithm=self.algorithm,
            wire=wire,
            peer=wire.peer,
            message_type=message_type,
            allowed_methods=allowed_methods,
            now=now,
            window=window,
            provided=_REQUEST,
            headers=wire.headers,
            id_in_metadata=self.id_in_metadata,
        )
        examine(examination, self.head_checks)
        return examination

    def open_body(self, examination: Examination, body: bytes) -> None:
        """Go on with an examination once the body is there."""
        examination.body = examination.payload = body  # as far as nothing has been drawn out of it yet
        if examination.wire is not None and examination.wire.body is not body:
            examination.wire = replace(examination.wire, body=body)
        examine(examination, self.opening_checks)

    def judge_token(self, examination: Examination, issuer: Issuer | None) -> None:
        """Go on with an opened examination once the Auth Service's keys are known."""
        examination.issuer = issuer
        examine(examination, self.token_checks)

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
        if passed + self.journal_checks != self.request_checks:
            raise ValueError("only a message for which every check held becomes a verified message")
        wire, holder = _known(examination.wire), _known(examination.holder)
        sender, metadata = holder.organisation_id, examination.metadata
        new = tuple(Step(one, Outcome.PASSED, "", History.NEW.value) for one in self.journal_checks)
        return VerifiedMessage(
            message_type=_known(examination.message_type),
            sender=holder,
            kid=_known(examination.key).kid,
            payload=examination.payload,
            document=examination.document,
            content=_known(examination.content),
            nonce=Nonce(sender, metadata["traceId"], metadata["timestamp"], _known(examination.instant)),
            request_id=examination.identified["requestId"],
            wire=wire,
            received_at=_known(examination.now),
            verification=Verification((*examination.steps, *new), None),
        )

    def examine_ack(
        self,
        body: bytes,
        peer: Peer,
        callee: Participant,
        trace_id: str,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Examination:
        """Judge the answer to a message that we sent: only a key of the party that we called counts."""
        examination = Examination(
            body=body,
            payload=body,
            algorithm=self.algorithm,
            peer=peer,
            sent_trace_id=trace_id,
            provided=_ACK,
            may_be_unsigned=self.may_be_unsigned(callee, headers),
            headers=headers,
        )
        examine(examination, self.ack_opening_checks)
        if examination.problem is None:
            examination.holder = self.answerer(examination, callee)
            examine(examination, self.ack_verdict_checks)
        return examination

    def may_be_unsigned(self, callee: Participant, headers: Mapping[str, str]) -> bool:
        """Tell whether an answer of this peer with these headers gets by without a signature."""
        return False

    def answerer(self, examination: Examination, callee: Participant) -> Participant | None:
        """Return whose answer it is: the party that we called, if the kid is one of its own."""
        return callee if callee.key(examination.kid or "") is not None else None

    def examine_offline(
        self,
        body: bytes,
        key_for: Callable[[str], Participant | None],
        message_type: MessageType | None = None,
        at: datetime | None = None,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        token: str = "",
        issuer: Issuer | None = None,
    ) -> Verification:
        """Judge a message from a file: `key_for` gives the holder of a kid; freshness only with a time `at`.

        `headers` has lower-case names; an access token is judged with the `issuer` whose it has to be.
        """
        given = {
            Need.KEY: True,
            Need.ISSUER: issuer is not None,
            Need.CLOCK: at is not None,
            Need.MESSAGE_TYPE: message_type is not None,
        }
        examination = Examination(
            body=body,
            payload=body,
            algorithm=self.algorithm,
            message_type=message_type,
            now=at,
            provided=frozenset(need for need, there in given.items() if there),
            headers=headers,
            id_in_metadata=self.id_in_metadata,
            issuer=issuer,
            token_text=token,
        )
        examine(examination, self.head_checks + self.opening_checks + self.token_checks)
        if examination.problem is None:
            examination.holder = key_for(examination.kid or "")
            examine(examination, self.verdict_checks + self.journal_checks)
        return conclude(examination, self.request_checks)


def _known(value: T | None) -> T:
    if value is None:
        raise ValueError("an examination that passed lacks a part")
    return value
