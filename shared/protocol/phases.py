"""The phases of a message: `Opened`, its bytes; `Identified`, with its sender; `VerifiedMessage`, when all checks hold.

Each value is drawn out of the bytes when it is first asked for, once. As far as it cannot be read it is empty: what is
wrong is for the checks to say. Nothing of the first two phases is believed; it serves to judge a message, to refuse it
in its own shape, and to find it again.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeGuard

from pydantic import BaseModel, ValidationError

from shared.protocol.detached import SIGNATURE_HEADER, STARTER_HEADER, signing_input
from shared.protocol.encoding import EncodingError, JsonTexts, base64url_decode, parse_timestamp
from shared.protocol.messages import MessageType
from shared.protocol.nonces import DEFAULT_WINDOW, FreshnessWindow, Nonce
from shared.protocol.participants import Dialect, EnvelopeMember, Participant, PublicKey
from shared.protocol.problems import SUCCESS
from shared.protocol.tokens import AccessToken, Issuer, bearer_token, open_token

MAX_BODY_BYTES: Final = 1024 * 1024
"""The documents give no limit; 1 MiB holds a bulk request with inline documents of ordinary size."""

MAX_IDENTIFIER_LENGTH: Final = 64

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


Style = EnvelopeMember | Dialect
"""What differs between two messages of one profile: how v3 spells the signed header, how a v4 peer signs."""


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


@dataclass(eq=False)
class Opened(ABC):
    """A message as it is before anybody has been looked up.

    Attributes:
        message_type: what its path promises; None where the path promises nothing.
        now: our time (aware), by which it is judged.
        own_id: the id that we have in its profile.
        answers: the traceId of our message that it answers, if it is an ack.
    """

    algorithm: ClassVar[str]
    id_in_metadata: ClassVar[bool]

    wire: WireMessage
    message_type: MessageType | None = None
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    window: FreshnessWindow = DEFAULT_WINDOW
    own_id: str = ""
    answers: str = ""

    def receive(self, body: bytes) -> None:
        """Take the body, which comes after the head; nothing else of a message ever changes."""
        self.wire = replace(self.wire, body=body)

    @property
    def body(self) -> bytes:
        """The exact bytes of the body."""
        return self.wire.body

    @property
    def peer(self) -> Peer:
        """The other end of the connection."""
        return self.wire.peer

    @property
    def expected(self) -> MessageType:
        """The message that its path promises, which has been judged to be one."""
        assert self.message_type is not None
        return self.message_type

    @cached_property
    def texts(self) -> JsonTexts:
        """The JSON texts in it, each parsed once."""
        return JsonTexts()

    @property
    @abstractmethod
    def signature_text(self) -> str:
        """The detached signature as it stands beside the body; empty where it stands in the body."""

    @property
    @abstractmethod
    def header_bytes(self) -> bytes:
        """The signed header, decoded."""

    @property
    @abstractmethod
    def signature(self) -> bytes:
        """The signature, decoded."""

    @property
    @abstractmethod
    def payload(self) -> bytes:
        """The payload, decoded."""

    @property
    @abstractmethod
    def signing_input(self) -> bytes:
        """The bytes that are signed."""

    @cached_property
    def header(self) -> Mapping[str, Any]:
        """The signed header's members."""
        return self.object_in(self.header_bytes)

    @property
    def kid(self) -> str:
        """The kid in the signed header."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else ""

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The payload's members."""
        return self.object_in(self.payload)

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """The members of the payload's `metadata`."""
        metadata = self.document.get("metadata")
        return metadata if isinstance(metadata, dict) else _NOTHING

    @property
    def identified(self) -> Mapping[str, Any]:
        """The object in which messages of this profile have their requestId."""
        return self.metadata if self.id_in_metadata else self.document

    @property
    def request_id(self) -> str:
        """The requestId that it claims; a refusal is found by it."""
        return _plain(self.identified.get("requestId"))

    @property
    def trace_id(self) -> str:
        """The traceId that it claims; a refusal echoes it (OCEN v3 ack)."""
        return _plain(self.metadata.get("traceId"))

    def object_in(self, text: bytes) -> Mapping[str, Any]:
        """Return the members of the JSON object in a text; none of what is too large, for not all of it is here."""
        try:
            return self.texts.read(text) if 0 < len(text) <= MAX_BODY_BYTES else _NOTHING
        except EncodingError:
            return _NOTHING


@dataclass(eq=False)
class OpenedEnvelope(Opened):
    """A message of OCEN v3: a flattened JWS (seed 002, RFC 7515 s7.2.2)."""

    algorithm = "RS512"
    id_in_metadata = False
    signature_text = ""

    @cached_property
    def outer(self) -> Mapping[str, Any]:
        """The members of the envelope."""
        return self.object_in(self.body)

    @property
    def member(self) -> EnvelopeMember:
        """How it spells its signed header: `header` where it names neither or both. The ack is spelled alike."""
        is_protected = "protected" in self.outer and "header" not in self.outer
        return EnvelopeMember.PROTECTED if is_protected else EnvelopeMember.HEADER

    @cached_property
    def header_bytes(self) -> bytes:
        """The signed header, decoded."""
        return _decoded(self.outer.get(self.member))

    @cached_property
    def signature(self) -> bytes:
        """The signature, decoded."""
        return _decoded(self.outer.get("signature"))

    @cached_property
    def payload(self) -> bytes:
        """The payload, decoded."""
        return _decoded(self.outer.get("payload"))

    @property
    def signing_input(self) -> bytes:
        """Header, dot, payload as they travelled (RFC 7515 s5.1; the published sample proves the order)."""
        return f"{self.outer[self.member]}.{self.outer['payload']}".encode("ascii")


@dataclass(eq=False)
class OpenedCall(Opened):
    """A message of OCEN 4.0: the body is the payload; its signature and the sender's token stand in HTTP headers."""

    algorithm = "RS256"
    id_in_metadata = True

    @property
    def signatures(self) -> list[str]:
        """What stands in the HTTP headers that may hold the signature."""
        headers = self.wire.headers
        return [headers[name] for name in (SIGNATURE_HEADER, STARTER_HEADER) if name in headers]

    @cached_property
    def signature_text(self) -> str:
        """The detached JWS, if one is given and no other beside it."""
        given = {text.strip(" \t") for text in self.signatures}
        return given.pop() if len(given) == 1 and "," not in min(given) else ""

    @cached_property
    def parts(self) -> list[str]:
        """The parts between its dots; three of them if it is a JWS."""
        return self.signature_text.split(".")

    @cached_property
    def header_bytes(self) -> bytes:
        """The signed header, decoded."""
        return _decoded(self.parts[0])

    @cached_property
    def signature(self) -> bytes:
        """The signature, decoded."""
        return _decoded(self.parts[-1])

    @property
    def payload(self) -> bytes:
        """The body."""
        return self.body

    @property
    def signing_input(self) -> bytes:
        """Header, dot, and the body as its `b64` says (RFC 7797 s3)."""
        return signing_input(self.parts[0], self.body, self.header.get("b64") is False)

    @cached_property
    def token_text(self) -> str:
        """The bearer token in the header Authorization (RFC 6750 s2.1)."""
        return bearer_token(self.wire.headers.get("authorization", ""))


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
        return open_token(self.text)


@dataclass(frozen=True, slots=True)
class Sender:
    """What a look-up has found out about the sender of a message.

    Attributes:
        holder: the participant whose key or token it shows; None where nobody holds them.
        certificate_of: whose certificate the connection has, where the look-up tells that.
        networks: the members of our product networks by their ids; none where membership is not judged.
    """

    holder: Participant | None
    certificate_of: str = ""
    networks: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Identified:
    """A message together with who seems to have sent it."""

    opened: Opened
    sender: Sender

    @property
    def holder(self) -> Participant:
        """The participant, whom a check has found to be one."""
        assert self.sender.holder is not None
        return self.sender.holder

    @cached_property
    def key(self) -> PublicKey | None:
        """The key that the kid selects; without a kid an official starter means its only key (C22)."""
        holder, opened = self.sender.holder, self.opened
        if holder is None:
            return None
        if opened.header.get("kid") is None and holder.dialect is Dialect.AUTHSTARTER:
            return holder.counting_keys[0] if len(holder.counting_keys) == 1 else None
        return holder.key(opened.kid)

    @property
    def token(self) -> AccessToken:
        """The access token, which has been judged already."""
        assert isinstance(self.opened, OpenedCall)
        return open_token(self.opened.token_text)

    @cached_property
    def instant(self) -> datetime | None:
        """The moment in the metadata, in UTC; None where it is none."""
        try:
            return parse_timestamp(self.opened.metadata["timestamp"])
        except (EncodingError, KeyError, TypeError):
            return None

    @cached_property
    def content(self) -> BaseModel | ValidationError:
        """The payload as its message's model reads it, or what is wrong with it."""
        try:
            return self.opened.expected.body.model_validate(self.opened.document)
        except ValidationError as error:
            return error

    @cached_property
    def ack(self) -> Mapping[str, Any]:
        """The members of an ack, which may stand inside `ack`; a starter's null is success (C12)."""
        ack = self.opened.document.get("ack", self.opened.document)
        if not isinstance(ack, dict):
            return _NOTHING
        is_starters = self.sender.holder is not None and self.sender.holder.dialect is Dialect.AUTHSTARTER
        return {**ack, "error": SUCCESS} if is_starters and ack.get("error") is None else ack


@dataclass(frozen=True, slots=True)
class VerifiedMessage:
    """A message for which every check held: the only form in which rules and journal ever meet one."""

    message_type: MessageType
    sender: Participant
    answer_style: Style
    kid: str
    payload: bytes
    document: Mapping[str, Any]
    content: BaseModel
    nonce: Nonce
    request_id: str
    wire: WireMessage
    received_at: datetime


def is_usable(value: Any) -> TypeGuard[str]:
    """Tell whether a value can be an id: a text of 1 to 64 printable characters."""
    return isinstance(value, str) and 0 < len(value) <= MAX_IDENTIFIER_LENGTH and value.isprintable()


def _plain(value: Any) -> str:
    return value if is_usable(value) else ""


def _decoded(text: Any) -> bytes:
    try:
        return base64url_decode(text) if isinstance(text, str) else b""
    except EncodingError:
        return b""
