"""The detached JWS of OCEN 4.0: a header and a signature in an HTTP header, the payload is the body (RFC 7515 App. F).

Three forms are about. RFC 7797 with `b64` false and `crit`, over the body as it is: right by the RFC, and the one form
that official starters accept too, so it is what we send. RFC 7515 Appendix F, over the body in base64url. And what
official starters send: `b64` false without `crit`, which RFC 7797 s6 forbids.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from shared.protocol.encoding import base64url_decode_if_any, base64url_encode, dump_json, format_timestamp
from shared.protocol.participants import Dialect, Participant
from shared.protocol.phases import Opened, SignatureVariant
from shared.protocol.profile import Originator, Profile, SignedBody
from shared.protocol.signing import RS256, SigningKey
from shared.protocol.tokens import bearer_token

SIGNATURE_HEADER = "signature"
"""Where the documents put it; lower case, as ASGI has header names."""

STARTER_HEADER = "x-jws-signature"
"""Where official starters put it."""


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


def seal_detached(body: bytes, key: SigningKey, dialect: Dialect) -> dict[str, str]:
    """Sign exactly this body; return the HTTP headers that carry the signature.

    Every peer gets the form of RFC 7797 with `crit` (P19); an official starter gets it under both names.
    """
    header = _protected_header(key.kid, key.algorithm)
    signature = f"{header}..{base64url_encode(key.sign(signing_input(header, body, is_unencoded=True)))}"
    names = (SIGNATURE_HEADER, STARTER_HEADER) if dialect is Dialect.AUTHSTARTER else (SIGNATURE_HEADER,)
    return dict.fromkeys(names, signature)


def signature_in(headers: Mapping[str, str]) -> str:
    """Return the detached signature among HTTP headers with lower-case names; empty where there is none."""
    return headers.get(SIGNATURE_HEADER, headers.get(STARTER_HEADER, "")).strip()


def signing_input(header: str, body: bytes, is_unencoded: bool) -> bytes:
    """Return what is signed: the encoded header, a dot, and the body as it is or in base64url (RFC 7797 s3)."""
    payload = body if is_unencoded else base64url_encode(body).encode("ascii")
    return header.encode("ascii") + b"." + payload


@lru_cache(maxsize=256)
def _protected_header(kid: str, algorithm: str) -> str:
    return base64url_encode(dump_json({"alg": algorithm, "kid": kid, "b64": False, "crit": ["b64"]}))


@dataclass(frozen=True, slots=True)
class DetachedProfile(Profile):
    """The body is the payload; what signs it stands in the HTTP headers."""

    def sign(self, payload: bytes, key: SigningKey, variant: SignatureVariant) -> SignedBody:
        """Return the payload as it is, with its detached signature in the form that `variant` asks for."""
        assert isinstance(variant, Dialect)
        return SignedBody(payload, seal_detached(payload, key.bound_to(self.opened.algorithm), variant))

    def stamp(
        self, content: Mapping[str, Any], sender: Originator, request_id: str, trace_id: str, now: datetime
    ) -> bytes:
        """Write the payload of a message; the originator stands there under both spellings of the schema (P18)."""
        metadata = {
            **content.get("metadata", {}),
            "version": self.metadata_version,
            "originatorOrgId": sender.organisation_id,
            "originatorParticipantId": sender.participant_id,
            "orgId": sender.organisation_id,
            "participantId": sender.participant_id,
            "timestamp": format_timestamp(now),
            "traceId": trace_id,
            "requestId": request_id,
        }
        return dump_json({"metadata": metadata, **{k: v for k, v in content.items() if k != "metadata"}})

    def variant_for(self, receiver: Participant) -> SignatureVariant:
        """Return the dialect that the receiver is set to."""
        return receiver.dialect

    def variant_of(self, opened: Opened, sender: Participant | None) -> SignatureVariant:
        """Return the dialect of the sender, strict as long as nobody knows who it is."""
        return sender.dialect if sender is not None else Dialect.STRICT

    def may_be_unsigned(self, callee: Participant, opened: Opened) -> bool:
        """Let an official starter get by without signing its acks; a signature that is there has to hold (P26)."""
        assert isinstance(opened, OpenedCall)
        return callee.dialect is Dialect.AUTHSTARTER and not opened.signatures

    def answerer(self, callee: Participant, kid: str) -> Participant | None:
        """Return the party that we called: its kid is judged by a check of its own."""
        return callee
