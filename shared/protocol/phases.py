"""The phases of a message: `Opened`, its bytes; `Identified`, with its sender; `VerifiedMessage`, when all checks hold.

As far as a part cannot be read it is empty: what is wrong is for the checks to say. Nothing of the first two phases is
believed; they serve to judge a message, to refuse it in its own shape, and to find it again.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Final, NamedTuple, cast

from pydantic import BaseModel, ValidationError

from shared.protocol.encoding import NOTHING, EncodingError, JsonTexts, base64url_decode_if_any, parse_timestamp
from shared.protocol.messages import MessageType
from shared.protocol.nonces import DEFAULT_WINDOW, FreshnessWindow, Nonce
from shared.protocol.participants import Dialect, EnvelopeMember, Participant, PublicKey
from shared.protocol.problems import SUCCESS
from shared.protocol.tokens import AccessToken, Issuer, parse_token

MAX_BODY_BYTES: Final = 1024 * 1024
"""The documents give no limit; 1 MiB holds a bulk request with inline documents of ordinary size."""

_MOST_LENGTH_DIGITS: Final = 20
"""Of a Content-Length; one with more is far beyond any limit with so many, too."""

MAX_HEADER_BYTES: Final = 4096
"""Of a signed header. Of a longer one nothing is read."""

_MOST_KEPT_LENGTH: Final = 512
"""Characters of a signed header in base64url up to which it is kept after it was read."""

MAX_IDENTIFIER_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of the connection: its certificate's thumbprint and the address it calls from."""

    certificate: str
    address: str


NO_PEER: Final = Peer("", "")
"""Where there is no connection: a message from a file."""


@dataclass(frozen=True, slots=True)
class WireMessage:
    """One HTTP message as it arrived: nothing decoded, nothing believed. `headers` has lower-case names.

    Of an answer, and of a message from a file, `method` and `path` are empty.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)  # an access token is among them, and no log may have it
    body: bytes
    peer: Peer

    def with_body(self, body: bytes) -> "WireMessage":
        """Return the same message with its body."""
        return WireMessage(self.method, self.path, self.headers, body, self.peer)


class Claims(NamedTuple):
    """What the payload of a message says, as far as it can be read.

    Attributes:
        document: its members.
        metadata: the members of its `metadata`.
        identified: the one of these two in which messages of the profile have their requestId.
        request_id: the requestId, by which a refusal is found; empty where it is no printable text of usable length.
        trace_id: the traceId likewise, which a refusal echoes (OCEN v3 ack).
    """

    document: Mapping[str, Any]
    metadata: Mapping[str, Any]
    identified: Mapping[str, Any]
    request_id: str
    trace_id: str


class Opened(ABC):
    """A message as it is before anybody has been looked up, taken apart as far as it can be.

    Attributes:
        declared_size: of the body, in bytes; 0 where the head does not tell it.
        expected: what its path promises, once a check has found that it promises something.
        now: our time (aware), by which it is judged.
        own_id: the id that we have in its profile.
        answers: the traceId of our message that it answers, if it is an ack.
        signature_text: the detached signature as it stands beside the body; empty where it stands in the body.
        token_text: the bearer token that came with it (RFC 6750 s2.1); empty where its profile has none.
        header, kid: the members of the signed header, and the kid among them.
        payload: exactly as it was signed.
    """

    algorithm: ClassVar[str]
    id_in_metadata: ClassVar[bool]

    def __init__(
        self,
        wire: WireMessage,
        message_type: MessageType | None = None,
        now: datetime = datetime(1970, 1, 1, tzinfo=UTC),
        window: FreshnessWindow = DEFAULT_WINDOW,
        *,
        own_id: str = "",
        answers: str = "",
    ) -> None:
        """Open a message, of which only the head may be there yet."""
        self.wire = wire
        self.message_type = message_type
        self.expected = cast("MessageType", message_type)
        self.now = now
        self.window = window
        self.own_id = own_id
        self.answers = answers
        self.peer = wire.peer
        self.declared_size = declared_size(wire.headers)
        self.texts = JsonTexts()
        self.signature_text = self.token_text = ""
        self.header_bytes = self.signature = self.payload = b""
        self.header: Mapping[str, Any] = NOTHING
        self.kid = ""
        self._open_head()
        self.receive(wire.body)

    def receive(self, body: bytes) -> None:
        """Take the body, which comes after the head."""
        self.body = body
        if body:
            self.wire = self.wire.with_body(body)
            self._open_body()

    def _open_head(self) -> None:  # noqa: B027
        """Take the HTTP headers apart, where they are part of the message."""

    @abstractmethod
    def _open_body(self) -> None:
        """Take the body apart."""

    @property
    @abstractmethod
    def signing_input(self) -> bytes:
        """The bytes that are signed."""

    def _open_header(self, encoded: Any) -> None:
        if isinstance(encoded, str) and len(encoded) <= _MOST_KEPT_LENGTH:
            self.header_bytes, self.header, known = _read_header(encoded)
            self.texts.update(known)
        else:
            self.header_bytes = base64url_decode_if_any(encoded)
            self.header = self.texts.read_if_any(self.header_bytes, MAX_HEADER_BYTES)
        kid = self.header.get("kid")
        self.kid = kid if isinstance(kid, str) else ""

    @cached_property
    def claims(self) -> Claims:
        """What the payload says: read only when its signature holds, or to say what a refused message was."""
        document = self.texts.read_if_any(self.payload, MAX_BODY_BYTES)
        given = document.get("metadata")
        metadata = given if isinstance(given, dict) else NOTHING
        identified = metadata if self.id_in_metadata else document
        request_id, trace_id = _plain(identified.get("requestId")), _plain(metadata.get("traceId"))
        return Claims(document, metadata, identified, request_id, trace_id)


SignatureVariant = EnvelopeMember | Dialect
"""What differs between two messages of one profile: how v3 spells the signed header, how a v4 peer signs."""


@dataclass(frozen=True, slots=True)
class ShownToken:
    """The access token that a caller shows, and the Auth Service that it has to be of."""

    text: str = field(repr=False)
    issuer: Issuer
    now: datetime
    peer: Peer = NO_PEER

    @property
    def token(self) -> AccessToken:
        """The token, taken apart. Raises EncodingError: it is none."""
        return parse_token(self.text)


@dataclass(frozen=True, slots=True)
class KnownSender:
    """What a look-up has found out about the sender of a message.

    Attributes:
        holder: the participant whose key or token it shows; None where nobody holds them.
        certificate_of: whose certificate the connection has, where the look-up tells that.
        networks: the members of our product networks by their ids; none where membership is not judged.
    """

    holder: Participant | None
    certificate_of: str = ""
    networks: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Identified:
    """A message together with who seems to have sent it.

    Attributes:
        holder: the participant, once a check has found that there is one.
        key: the key that the kid selects; without a kid an official starter means its only key (P21).
    """

    def __init__(self, opened: Opened, sender: KnownSender) -> None:
        """Identify a message by what a look-up has found out."""
        self.opened = opened
        self.sender = sender
        self.holder = cast("Participant", sender.holder)
        self.key = _key_of(opened, sender.holder)

    @property
    def token(self) -> AccessToken:
        """The access token, which has been judged already."""
        return parse_token(self.opened.token_text)

    @cached_property
    def instant(self) -> datetime | None:
        """The moment in the metadata, in UTC; None where it is none."""
        try:
            return parse_timestamp(self.opened.claims.metadata["timestamp"])
        except (EncodingError, KeyError, TypeError):
            return None

    @cached_property
    def content(self) -> BaseModel | ValidationError:
        """The payload as its message's model reads it, or what is wrong with it."""
        try:
            return self.opened.expected.body.model_validate(self.opened.claims.document)
        except ValidationError as error:
            return error.with_traceback(None)  # whose frames would keep the message until a garbage collection

    @cached_property
    def ack(self) -> Mapping[str, Any]:
        """The members of an ack, which may stand inside `ack`; a starter's null is success (P26)."""
        ack = self.opened.claims.document.get("ack", self.opened.claims.document)
        if not isinstance(ack, dict):
            return NOTHING
        is_starters = self.sender.holder is not None and self.sender.holder.dialect is Dialect.AUTHSTARTER
        return {**ack, "error": SUCCESS} if is_starters and ack.get("error") is None else ack


@dataclass(frozen=True, slots=True)
class VerifiedMessage:
    """A message for which every check held: the only form in which rules and journal ever meet one."""

    message_type: MessageType
    sender: Participant
    answer_variant: SignatureVariant
    kid: str
    payload: bytes
    document: Mapping[str, Any]
    content: BaseModel
    nonce: Nonce
    request_id: str
    wire: WireMessage
    received_at: datetime


def declared_size(headers: Mapping[str, str]) -> int:
    """Return the size in bytes that a body is to have; 0 where the head does not tell it (RFC 9112 s6.3)."""
    declared = headers.get("content-length", "").lstrip("0")
    return int(declared[:_MOST_LENGTH_DIGITS]) if declared.isdecimal() else 0


@lru_cache(maxsize=1024)
def _read_header(encoded: str) -> tuple[bytes, Mapping[str, Any], JsonTexts]:
    """Read a signed header. Those by one key are all alike, and so read once."""
    text, texts = base64url_decode_if_any(encoded), JsonTexts()
    return text, texts.read_if_any(text, MAX_HEADER_BYTES), texts


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_IDENTIFIER_LENGTH and value.isprintable() else ""


def _key_of(opened: Opened, holder: Participant | None) -> PublicKey | None:
    if holder is None:
        return None
    if holder.dialect is Dialect.AUTHSTARTER and opened.header.get("kid") is None:
        return holder.counting_keys[0] if len(holder.counting_keys) == 1 else None
    return holder.by_kid.get(opened.kid) if opened.kid else None  # a registry may give keys without a kid
