"""What the journal shows of itself, field by field, and how it is asked."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from shared.catalogue.bodies.body import Identifier
from shared.node.outbox import AttemptOutcome, OutboxState
from shared.protocol.encoding import EncodingError, base64url_decode, format_timestamp, parse_json_object
from shared.protocol.participants import EnvelopeMember
from shared.protocol.profiles import PROFILES
from shared.protocol.verification import Outcome

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


class Page(BaseModel):
    """Which page of a list: `limit` entries, newest first, older than the entry `before` (the `next` of a page)."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)
    before: Annotated[Identifier | None, _unless_blank] = None


class MessageFilter(Page):
    """Which messages to list; what is left out or blank does not matter."""

    direction: Annotated[Direction | None, _unless_blank] = None
    message: Annotated[Identifier | None, _unless_blank] = None
    peer: Annotated[Identifier | None, _unless_blank] = None
    request_id: Annotated[Identifier | None, _unless_blank] = None
    state: Annotated[Literal["ACCEPTED"] | OutboxState | None, _unless_blank] = None


class RefusalFilter(Page):
    """Which refusals to list."""

    peer: Annotated[Identifier | None, _unless_blank] = None


class MessageLine(BaseModel):
    """One message in the list. `tries` and `result` tell of deliveries and are null for what was received."""

    id: str
    direction: Direction
    message: str
    request_id: str
    peer: str
    at: Moment
    state: Literal["ACCEPTED"] | OutboxState
    tries: int | None
    result: str | None


class MessagePage(BaseModel):
    """A page of messages. `next` is the `before` of the page after it; null says that there is nothing older.

    With a filter that few messages pass, a page may hold less than `limit` lines, or none, and still have a `next`.
    """

    items: list[MessageLine]
    next: str | None


class VerificationStep(BaseModel):
    """One check of a message: what it demands, where that is written, what was expected and what was found."""

    check: str
    outcome: Outcome
    text: str
    clause: str
    expected: str
    found: str

    @classmethod
    def all_of(cls, steps: str) -> list[Self]:
        """Read what `steps_text` wrote; a step whose check no longer exists has no text and no clause."""
        return [cls._of(*step) for step in json.loads(steps)]

    @classmethod
    def _of(cls, name: str, outcome: str, found: str, expected: str = "") -> Self:
        check = _CHECKS.get(name)
        text, clause = (check.text, check.clause) if check else ("", "")
        return cls(check=name, outcome=Outcome(outcome), text=text, clause=clause, expected=expected, found=found)


class Decoded(BaseModel):
    """Signed header and payload, to be read. What travelled has every digit of its numbers."""

    header: dict[str, Any]
    payload: dict[str, Any]

    @classmethod
    def of(cls, envelope: bytes) -> Self | None:
        """Decode an envelope; None if it is none."""
        try:
            outer = parse_json_object(envelope)
            header, payload = next(outer[member] for member in EnvelopeMember if member in outer), outer["payload"]
            if not (isinstance(header, str) and isinstance(payload, str)):
                return None
            return cls(header=_shown(base64url_decode(header)), payload=_shown(base64url_decode(payload)))
        except (EncodingError, StopIteration, KeyError):
            return None

    @classmethod
    def of_body(cls, body: bytes, signature: str) -> Self | None:
        """Decode a body with its detached signature; None if one of them cannot be read.

        The header of an answer that its sender did not sign is empty.
        """
        try:
            header = _shown(base64url_decode(signature.partition(".")[0])) if signature else {}
            return cls(header=header, payload=_shown(body))
        except EncodingError:
            return None


class SignedTextView(BaseModel):
    """What travelled, as it travelled, and what it says; `decoded` is null if it cannot be read.

    In OCEN 4.0 `envelope` is the body, and `signature` the detached JWS that stood in a header; in v3 that is empty, as
    the signature stands in the envelope.
    """

    envelope: str
    signature: str = ""
    decoded: Decoded | None

    @classmethod
    def of(cls, raw: bytes, signature: str, *, is_detached: bool) -> Self:
        """Show bytes that travelled; `is_detached` tells that their signature stood beside them."""
        decoded = Decoded.of_body(raw, signature) if is_detached else Decoded.of(raw)
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


class RefusalPage(BaseModel):
    """A page of refusals; `next` is the `before` of the page after it."""

    items: list[RefusedMessage]
    next: str | None


class NoticeView(BaseModel):
    """A text to a person outside the protocol, such as the SMS with an OTP; forgotten when it expires."""

    id: str
    at: Moment
    recipient: str
    reference: str
    text: str
    expires_at: Moment


class Notices(BaseModel):
    """The latest notices, newest first."""

    items: list[NoticeView]


def _shown(text: bytes) -> dict[str, Any]:
    parse_json_object(text)  # strict, as to what may be shown; its decimals would be shown as texts
    shown: dict[str, Any] = json.loads(text)
    return shown
