"""The good OCEN 4.0 call that is tampered with: a body, its detached signature, and the sender's access token."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.protocol.checks.originator import PAIRS
from shared.protocol.detached import SIGNATURE_HEADER, signing_input
from shared.protocol.encoding import base64url_decode, base64url_encode, dump_json
from shared.protocol.signing import SigningKey
from shared.protocol.tampering.base import Good, OtherParticipant, OutgoingMessage, TlsIdentity

Members = Mapping[str, object] | bytes
"""The members of a signed header or of a token's claims, or their bytes as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCaller(OtherParticipant):
    """Another participant that calls in its own right: the organisation whose role it is, and its token's claims."""

    organisation_id: str
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodCall(Good):
    """A good call. The receiver has the sender in the dialect STRICT and knows its organisation and its client.

    Attributes:
        document: names in `productData.productNetworkId` a network of both, and fits the message at `twin_path`, too.
        claims: those of the sender's token; `auth_key` is the Auth Service's, of which not every driver disposes.
        foreign_network: a product network of the sender, but not of the receiver.
        is_unencoded: whether the form of RFC 7797 is signed, else that of RFC 7515 Appendix F.
    """

    other: OtherCaller
    claims: Mapping[str, Any]
    auth_key: SigningKey
    twin_path: str
    foreign_network: str
    is_unencoded: bool = True

    @property
    def request_id(self) -> str:
        """The message's requestId, which stands in the metadata."""
        return str(self.document["metadata"]["requestId"])

    def with_request_id(self, request_id: str | None) -> dict[str, Any]:
        """Return the payload with another requestId, or with none."""
        return self.without_metadata("requestId") if request_id is None else self.with_metadata(requestId=request_id)

    @property
    def header(self) -> dict[str, Any]:
        """The members of the signed header."""
        unencoded = {"b64": False, "crit": ["b64"]} if self.is_unencoded else {}
        return {"alg": self.key.algorithm, "kid": self.key.kid, **unencoded}

    def signing_input(self, header: str) -> bytes:
        """Return what a signature over the good body under this header, in base64url, is over (RFC 7797 s3)."""
        return signing_input(header, self.payload, self.is_unencoded)

    @property
    def signed_parts(self) -> tuple[str, bytes]:
        """The signed header of the good call, in base64url, and its signature."""
        header, signature = self.sign().split("..")
        return header, base64url_decode(signature)

    @property
    def ids_of_other(self) -> dict[str, str]:
        """How metadata names the other participant, in both spellings."""
        ids = {"originatorOrgId": self.other.organisation_id, "originatorParticipantId": self.other.id}
        return {**ids, **{PAIRS[name]: value for name, value in ids.items()}}

    def sign(self, body: bytes | None = None, header: Members | None = None, key: SigningKey | None = None) -> str:
        """Sign this body under this header with this key, in the form that the header names; each else the good one."""
        members = self.header if header is None else header
        raw = members.get("b64") is False if isinstance(members, Mapping) else self.is_unencoded
        text = base64url_encode(members if isinstance(members, bytes) else dump_json(members))
        signature = (key or self.key).sign(signing_input(text, self.payload if body is None else body, raw))
        return f"{text}..{base64url_encode(signature)}"

    def token(self, claims: Members | None = None, header: Members | None = None, key: SigningKey | None = None) -> str:
        """Write a token with these claims under this header, signed with this key; each else the good one."""
        key = key or self.auth_key
        members = header if header is not None else {"alg": key.algorithm, "typ": "JWT", "kid": self.auth_key.kid}
        parts = (members, self.claims if claims is None else claims)
        text = ".".join(base64url_encode(part if isinstance(part, bytes) else dump_json(part)) for part in parts)
        return f"{text}.{base64url_encode(key.sign(text.encode()))}"

    def send(self, body: bytes | None = None) -> OutgoingMessage:
        """Send this body, or the good one, under the good signature and token."""
        signed = {"authorization": f"Bearer {self.token()}", SIGNATURE_HEADER: self.sign()}
        payload = self.payload if body is None else body
        return OutgoingMessage(self.method, self.path, {**self.headers, **signed}, payload)

    def send_payload(self, payload: bytes) -> OutgoingMessage:
        """Send these payload bytes, rightly signed."""
        return self.send_signature(self.sign(payload), payload)

    def send_signature(self, signature: str, body: bytes | None = None) -> OutgoingMessage:
        """Send the good body, or this one, under this signature."""
        return self.with_header(SIGNATURE_HEADER, signature, body)

    def send_header(self, header: Members, key: SigningKey | None = None) -> OutgoingMessage:
        """Send the good body under this signed header, rightly signed by the key."""
        return self.send_signature(self.sign(header=header, key=key))

    def send_token(self, token: str) -> OutgoingMessage:
        """Send the good body and signature with this token."""
        return self.with_header("authorization", f"Bearer {token}")

    def send_claims(self, **changes: object) -> OutgoingMessage:
        """Send a token of the Auth Service with some of its claims changed, those that are None left out."""
        claims = {name: value for name, value in {**self.claims, **changes}.items() if value is not None}
        return self.send_token(self.token(claims))

    def with_header(self, name: str, value: str | None, body: bytes | None = None) -> OutgoingMessage:
        """Send the good body, or this one, with another value of an HTTP header, or without that header."""
        message = self.send(body)
        rest = {other: text for other, text in message.headers.items() if other != name}
        return replace(message, headers=rest if value is None else {**rest, name: value})

    def send_changed(self, payload: bytes) -> OutgoingMessage:
        """Send this body under the signature of the good one."""
        return self.send(payload)

    def send_parts(self, header: str, signature: bytes) -> OutgoingMessage:
        """Send the good body under this header, in base64url, with this signature."""
        return self.send_signature(f"{header}..{base64url_encode(signature)}")

    def send_by_other(self, *, in_the_name_of_the_sender: bool) -> OutgoingMessage:
        """Send the good body, or the same as one of its own, from another participant, with its key and token."""
        own = dump_json(self.with_metadata(**self.ids_of_other))
        payload, key = self.payload if in_the_name_of_the_sender else own, self.other.key
        signed = self.send_signature(self.sign(payload, {**self.header, "kid": key.kid}, key), payload)
        headers = {**signed.headers, "authorization": f"Bearer {self.token(self.other.claims)}"}
        return replace(signed, headers=headers, identity=TlsIdentity.OTHER)
