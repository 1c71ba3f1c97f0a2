"""The fields of the journal's answers, and the parameters of its queries."""

import json
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from shared.catalogue.bodies.body import Identifier
from shared.node.send.outbox import AttemptOutcome, OutboxState
from shared.protocol.detached import SIGNATURE_HEADER, OpenedCall
from shared.protocol.encoding import format_timestamp
from shared.protocol.phases import MAX_BODY_BYTES, NO_PEER, Opened, WireMessage
from shared.protocol.profiles import PROFILES, Profile
from shared.protocol.verification import AnyCheck, Outcome, Step

Moment = Annotated[
    datetime,
    PlainSerializer(format_timestamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant, written as RFC 3339 in UTC with milliseconds."""

_unless_blank = BeforeValidator(lambda given: given or None)

_CHECKS = {check.name: check for profile in PROFILES.values() for check in profile.request_checks + profile.ack_checks}


class Direction(StrEnum):
    """Whether we received a message or sent it."""

    RECEIVED = "received"
    SENT = "sent"


class PageWanted(BaseModel):
    """Which page of a list: `limit` entries, newest first, older than the entry `before` (the `next` of a page)."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)
    before: Annotated[Identifier | None, _unless_blank] = None


class MessageFilter(PageWanted):
    """Which messages to list; what is left out or blank does not matter."""

    direction: Annotated[Direction | None, _unless_blank] = None
    message: Annotated[Identifier | None, _unless_blank] = None
    peer: Annotated[Identifier | None, _unless_blank] = None
    request_id: Annotated[Identifier | None, _unless_blank] = None
    state: Annotated[Literal["ACCEPTED"] | OutboxState | None, _unless_blank] = None


class RefusalFilter(PageWanted):
    """Which refusals to list."""

    peer: Annotated[Identifier | None, _unless_blank] = None


class MessageLine(BaseModel):
    """One message in the list. `tries` and `result` are about deliveries and are null for what was received."""

    id: str
    direction: Direction
    message: str
    request_id: str
    peer: str
    at: Moment
    state: Literal["ACCEPTED"] | OutboxState
    tries: int | None
    result: str | None


class VerificationStep(BaseModel):
    """One check of a message: what it demands, where that is written, what was expected and what was found."""

    check: str
    outcome: Outcome
    text: str
    clause: str
    expected: str
    found: str

    @classmethod
    def all_of(cls, recorded: str, checks: Sequence[AnyCheck], seen: Sequence[Step] = ()) -> list[Self]:
        """Read what `verdict_text` wrote of these checks; `seen` are those of them that were judged once more now."""
        verdict = json.loads(recorded)
        if isinstance(verdict, list):  # each check; one that no longer exists has no text and no clause
            return [cls._of(*step) for step in verdict]
        if not verdict.keys() <= {check.name for check in checks}:  # of another release: only what it says itself
            return [cls._of(name, *told) for name, told in verdict.items()]
        found = {step.check.name: step for step in seen if step.outcome is Outcome.PASSED}
        steps: list[Self] = []
        outcome = Outcome.PASSED
        for check in checks:
            if check.name in verdict:
                steps.append(cls._of(check.name, *verdict[check.name]))
                outcome = Outcome.NOT_REACHED if steps[-1].outcome is Outcome.FAILED else outcome
            elif outcome is Outcome.PASSED and check.name in found:
                steps.append(cls(**found[check.name].as_dict()))
            else:
                steps.append(cls._of(check.name, outcome))
        return steps

    @classmethod
    def _of(cls, name: str, outcome: str, found: str = "", expected: str = "") -> Self:
        check = _CHECKS.get(name)
        text, clause = (check.text, check.clause) if check else ("", "")
        return cls(check=name, outcome=Outcome(outcome), text=text, clause=clause, expected=expected, found=found)


class Decoded(BaseModel):
    """Signed header and payload, to be read. What travelled has every digit of its numbers."""

    header: dict[str, Any]
    payload: dict[str, Any]

    @classmethod
    def of(cls, opened: Opened) -> Self | None:
        """Show what could be read; None if a part cannot. The header of what its sender did not sign is empty."""
        is_unsigned = isinstance(opened, OpenedCall) and not opened.signature_text
        header = b"{}" if is_unsigned else opened.header_bytes
        if any(opened.texts.error_in(text, MAX_BODY_BYTES) for text in (header, opened.payload)):
            return None
        return cls(header=json.loads(header), payload=json.loads(opened.payload))  # decimals would be shown as texts


class SignedTextView(BaseModel):
    """What travelled, as it travelled, and what it says; `decoded` is null if it cannot be read.

    In OCEN 4.0 `envelope` is the body, and `signature` the detached JWS that stood in a header; in v3 that is empty, as
    the signature stands in the envelope.
    """

    envelope: str
    signature: str = ""
    decoded: Decoded | None

    @classmethod
    def of(cls, raw: bytes, signature: str, profile: Profile) -> Self:
        """Show bytes that travelled, with the signature that stood beside them, if one did."""
        headers = {SIGNATURE_HEADER: signature} if signature else {}
        decoded = Decoded.of(profile.opened(WireMessage("", "", headers, raw, NO_PEER)))
        return cls(envelope=raw.decode(errors="replace"), signature=signature, decoded=decoded)


class ReceivedMessage(SignedTextView):
    """A message that was accepted: the signed original, what each check found, and the signed ack that went out."""

    id: str
    message: str
    peer: str
    at: Moment
    trace_id: str
    kid: str
    certificate: str
    address: str
    verification: list[VerificationStep]
    ack: SignedTextView


class Attempt(BaseModel):
    """One try to deliver: what was sent, what came back (null: nothing), and how the answer was judged."""

    started_at: Moment
    milliseconds: float
    trace_id: str
    kid: str
    outcome: AttemptOutcome
    status: int | None
    reason: str
    sent: SignedTextView
    answer: SignedTextView | None
    verification: list[VerificationStep]


class SentMessage(BaseModel):
    """A message of ours and every try to deliver it; `due_at` says when the next one is, while it is unfinished."""

    id: str
    message: str
    peer: str
    at: Moment
    state: OutboxState
    tries: int
    due_at: Moment
    result: str
    content: dict[str, Any]
    attempts: list[Attempt]


class RefusedMessage(BaseModel):
    """A message that was refused. `peer` is whose the connection was (empty: unknown); the ids are as claimed.

    `raw` is its body as it came; `signature` is the detached JWS that came with it, in OCEN 4.0.
    """

    id: str
    at: Moment
    peer: str
    address: str
    path: str
    request_id: str
    trace_id: str
    error: str
    meaning: str
    reason: str
    verification: list[VerificationStep]
    raw: str
    signature: str


class MessageHistory(BaseModel):
    """Everything under one requestId, each part in the order of time."""

    request_id: str
    received: list[ReceivedMessage]
    sent: list[SentMessage]
    refused: list[RefusedMessage]


class NoticeView(BaseModel):
    """A text to a person outside the protocol, such as the SMS with an OTP; forgotten when it expires."""

    id: str
    at: Moment
    recipient: str
    reference: str
    text: str
    expires_at: Moment
