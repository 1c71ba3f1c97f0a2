"""A message taken apart, before anybody has been looked up: the first of the phases that `phases.py` tells of."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar, Final, cast

from shared.protocol.detached import SIGNATURE_HEADER, STARTER_HEADER, signing_input
from shared.protocol.encoding import NOTHING, JsonTexts, base64url_decode_if_any
from shared.protocol.messages import MessageType
from shared.protocol.nonces import DEFAULT_WINDOW, FreshnessWindow
from shared.protocol.participants import EnvelopeMember
from shared.protocol.signing import RS256, RS512
from shared.protocol.tokens import bearer_token

MAX_BODY_BYTES: Final = 1024 * 1024
"""The documents give no limit; 1 MiB holds a bulk request with inline documents of ordinary size."""

_MOST_LENGTH_DIGITS: Final = 20
"""Of a Content-Length; one with more is far beyond any limit with so many, too."""

MAX_HEADER_BYTES: Final = 4096
"""Of a signed header. Of a longer one nothing is read."""

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


class Opened(ABC):
    """A message as it is before anybody has been looked up, taken apart as far as it can be.

    Attributes:
        declared_size: of the body, in bytes; 0 where the head does not tell it.
        expected: what its path promises, once a check has found that it promises something.
        now: our time (aware), by which it is judged.
        own_id: the id that we have in its profile.
        answers: the traceId of our message that it answers, if it is an ack.
        signature_text: the detached signature as it stands beside the body; empty where it stands in the body.
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
        self.signature_text = ""
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

    @abstractmethod
    def _open_head(self) -> None:
        """Take the HTTP headers apart."""

    @abstractmethod
    def _open_body(self) -> None:
        """Take the body apart."""

    @property
    @abstractmethod
    def signing_input(self) -> bytes:
        """The bytes that are signed."""

    def _open_header(self, encoded: Any) -> None:
        self.header_bytes = base64url_decode_if_any(encoded)
        self.header = self.texts.read_if_any(self.header_bytes, MAX_HEADER_BYTES)
        kid = self.header.get("kid")
        self.kid = kid if isinstance(kid, str) else ""

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The payload's members: read only when its signature holds, or to say what a refused message was."""
        return self.texts.read_if_any(self.payload, MAX_BODY_BYTES)

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """The members of the payload's `metadata`."""
        metadata = self.document.get("metadata")
        return metadata if isinstance(metadata, dict) else NOTHING

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


class OpenedEnvelope(Opened):
    """A message of OCEN v3: a flattened JWS (seed 002, RFC 7515 s7.2.2).

    Attributes:
        outer: the members of the envelope.
        member: how it spells its signed header: `header` where it names neither or both. The ack is spelled alike.
    """

    algorithm = RS512
    id_in_metadata = False

    def _open_head(self) -> None:
        self.outer: Mapping[str, Any] = NOTHING
        self.member = EnvelopeMember.HEADER

    def _open_body(self) -> None:
        self.outer = outer = self.texts.read_if_any(self.body, MAX_BODY_BYTES)
        if "protected" in outer and "header" not in outer:
            self.member = EnvelopeMember.PROTECTED
        self.payload = base64url_decode_if_any(outer.get("payload"))
        self.signature = base64url_decode_if_any(outer.get("signature"))
        self._open_header(outer.get(self.member))

    @property
    def signing_input(self) -> bytes:
        """Header, dot, payload as they travelled (RFC 7515 s5.1; the published sample proves the order)."""
        return f"{self.outer[self.member]}.{self.outer['payload']}".encode("ascii")


class OpenedCall(Opened):
    """A message of OCEN 4.0: the body is the payload; its signature and the sender's token stand in HTTP headers.

    Attributes:
        signatures: what stands in the HTTP headers that may hold the signature.
        parts: what stands between the dots of the one signature; three parts if it is a JWS.
        token_text: the bearer token in the header Authorization (RFC 6750 s2.1).
    """

    algorithm = RS256
    id_in_metadata = True

    def _open_head(self) -> None:
        headers = self.wire.headers
        self.signatures = [headers[name] for name in (SIGNATURE_HEADER, STARTER_HEADER) if name in headers]
        given = {text.strip(" \t") for text in self.signatures}
        if len(given) == 1 and "," not in (text := given.pop()):
            self.signature_text = text
        self.parts = self.signature_text.split(".")
        self._open_header(self.parts[0])
        self.signature = base64url_decode_if_any(self.parts[-1])
        self.token_text = bearer_token(headers.get("authorization", ""))

    def _open_body(self) -> None:
        self.payload = self.body

    @property
    def signing_input(self) -> bytes:
        """Header, dot, and the body as its `b64` says (RFC 7797 s3)."""
        return signing_input(self.parts[0], self.body, self.header.get("b64") is False)


def declared_size(headers: Mapping[str, str]) -> int:
    """Return the size in bytes that a body is to have; 0 where the head does not tell it (RFC 9112 s6.3)."""
    declared = headers.get("content-length", "").lstrip("0")
    return int(declared[:_MOST_LENGTH_DIGITS]) if declared.isdecimal() else 0


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_IDENTIFIER_LENGTH and value.isprintable() else ""
