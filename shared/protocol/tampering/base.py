"""What goes out in place of a good message, and what every good message has, whatever its profile."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from shared.protocol.encoding import dump_json, format_timestamp
from shared.protocol.nonces import DEFAULT_WINDOW, FreshnessWindow
from shared.protocol.signing import SigningKey


class TlsIdentity(StrEnum):
    """With whose TLS certificate a message is sent."""

    OWN = "the sender's own"
    OTHER = "another participant's"


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What to put on the wire, and as whom.

    `from_listed_address` False asks for a source address that the sender has not listed, which only some drivers can
    arrange; the others leave such a message out. `further_headers` are sent as lines of their own, besides `headers`.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    identity: TlsIdentity = TlsIdentity.OWN
    from_listed_address: bool = True
    further_headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class OtherParticipant:
    """Another participant known to the receiver, of a role that does not send the good message.

    `certificate` is the thumbprint of the certificate that `TlsIdentity.OTHER` presents.
    """

    id: str
    certificate: str
    key: SigningKey


@dataclass(frozen=True, slots=True)
class OtherMessage:
    """Another message that the same sender may send: its path, and a payload that fits it."""

    path: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Good(ABC):
    """A message that would be accepted, and all that is needed to tamper with it. The keys are RSA with 2048 bits.

    Attributes:
        document: the payload, complete with metadata; it has a `credBlock` and lacks what `elsewhere` requires.
        key: the sender's signing key; `backup_key` and `blocked_key` are the sender's as well, `unknown_key` nobody's.
        now: the receiver's time (aware).
        canary_url: a place that no receiver may ever ask for a key.
    """

    path: str
    document: Mapping[str, Any]
    key: SigningKey
    backup_key: SigningKey
    blocked_key: SigningKey
    unknown_key: SigningKey
    other: OtherParticipant
    elsewhere: OtherMessage
    now: datetime
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    window: FreshnessWindow = DEFAULT_WINDOW
    canary_url: str = "https://keys.invalid/jwks.json"

    @property
    def payload(self) -> bytes:
        """The bytes of the payload."""
        return dump_json(self.document)

    @property
    @abstractmethod
    def request_id(self) -> str:
        """The message's requestId."""

    @abstractmethod
    def with_request_id(self, request_id: str | None) -> dict[str, Any]:
        """Return the payload with another requestId, or with none."""

    @property
    @abstractmethod
    def header(self) -> dict[str, Any]:
        """The members of the signed header."""

    @abstractmethod
    def signing_input(self, header: str) -> bytes:
        """Return what a signature over the good payload under this header, in base64url, is over."""

    @property
    @abstractmethod
    def signed_parts(self) -> tuple[str, bytes]:
        """The signed header, in base64url, and the signature of the message before anybody has tampered with it."""

    @abstractmethod
    def send(self, body: bytes | None = None) -> OutgoingMessage:
        """Send this body, or the good one."""

    @abstractmethod
    def send_changed(self, payload: bytes) -> OutgoingMessage:
        """Send this payload under the header and the signature of the good one."""

    @abstractmethod
    def send_parts(self, header: str, signature: bytes) -> OutgoingMessage:
        """Send the good payload under this header, in base64url, with this signature."""

    @abstractmethod
    def send_header(self, header: Mapping[str, object] | bytes, key: SigningKey | None = None) -> OutgoingMessage:
        """Send the good payload under this signed header, rightly signed by the key."""

    @abstractmethod
    def send_by_other(self, *, in_the_name_of_the_sender: bool) -> OutgoingMessage:
        """Send the good message, or the same as one of its own, from another participant, with all that it has."""

    @abstractmethod
    def send_payload(self, payload: bytes) -> OutgoingMessage:
        """Send these payload bytes, rightly signed."""

    def send_document(self, document: Mapping[str, Any]) -> OutgoingMessage:
        """Send this payload, rightly signed."""
        return self.send_payload(dump_json(document))

    def with_metadata(self, **changes: object) -> dict[str, Any]:
        """Return the payload with some members of its metadata changed."""
        return {**self.document, "metadata": {**self.document["metadata"], **changes}}

    def without(self, member: str) -> dict[str, Any]:
        """Return the payload without one of its members."""
        return {name: value for name, value in self.document.items() if name != member}

    def without_metadata(self, *members: str) -> dict[str, Any]:
        """Return the payload without some members of its metadata."""
        rest = {name: value for name, value in self.document["metadata"].items() if name not in members}
        return {**self.document, "metadata": rest}

    def restamped(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a payload under this message's metadata, but a millisecond later: that makes its nonce a new one."""
        timestamp = format_timestamp(self.now + timedelta(milliseconds=1))
        return {**document, "metadata": {**self.document["metadata"], "timestamp": timestamp}}

    def moved(self) -> Self:
        """Return the message `elsewhere` under this one's metadata."""
        document = {**self.elsewhere.document, "metadata": self.document["metadata"]}
        return replace(self, path=self.elsewhere.path, document=document)
