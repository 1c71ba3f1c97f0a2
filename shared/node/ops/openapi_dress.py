"""How a payload travels under each profile, in the words of OpenAPI and of JSON Schema 2020-12.

v3: an envelope, where `contentSchema` says what its base64url parts hold (s8 of the validation vocabulary). v4: the
payload itself, signed in an HTTP header and sent with an access token.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from shared.protocol.checks.envelope import HEADER_MEMBERS, MAX_KID_LENGTH
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.envelope import Envelope
from shared.protocol.participants import EnvelopeMember
from shared.protocol.profiles import V3, V4, Profile

Schema = dict[str, Any]

_KID: Final = "7a3c9d52-6f1e-4b8a-9c04-2d5e8f7b1a63"
_SIGNATURE: Final = base64url_encode(b"here stands the signature: 256 bytes or more, by the key that kid names")
_MUTUAL_TLS: Final = {
    "mutualTLS": {
        "type": "mutualTLS",
        "description": "TLS 1.2 or newer; your certificate is the one that you were onboarded with.",
    }
}


SCHEMAS: Final = "#/components/schemas/"


def reference_to(component: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"{SCHEMAS}{component}"}


class Dress(ABC):
    """What a document says of one profile."""

    @abstractmethod
    def description(self, profile: Profile) -> str:
        """Say in one paragraph how to send."""

    @abstractmethod
    def body(self, payload: Schema) -> Schema:
        """Return the schema of what carries a payload of that schema."""

    @abstractmethod
    def examples(self, profile: Profile, payload: bytes) -> Schema:
        """Return Example Objects of what carries these payload bytes, one for each form that it may have."""

    def parameters(self, profile: Profile) -> list[Schema]:
        """Return the HTTP headers of a message."""
        return []

    def headers(self, profile: Profile) -> Schema:
        """Return the HTTP headers of an ack."""
        return {}

    def security(self) -> list[Schema]:
        """Return what every call needs: all of it, so it stands in one requirement."""
        return [{name: [] for name in self.security_schemes()}]

    def security_schemes(self) -> Schema:
        """Describe what every call needs."""
        return _MUTUAL_TLS

    def schemas(self) -> Schema:
        """Return the schemas that `body` refers to."""
        return {}


class EnvelopeDress(Dress):
    """v3: header, payload and signature in one JSON object."""

    def description(self, profile: Profile) -> str:
        """Say how to send."""
        return (
            f"Under `{profile.mount}` send the payload as an envelope: a flattened JWS whose three parts are base64url "
            f"without padding. The signature is by your key over the bytes `header.payload`, with {profile.algorithm}. "
            "Answer and acknowledgement come in the shape of the request."
        )

    def body(self, payload: Schema) -> Schema:
        """Return the schema of an envelope: the signed header has one of two names, never both."""
        both = [self._spelling(member, payload) for member in EnvelopeMember]
        return {"type": "object", "oneOf": both, "not": {"required": ["signatures"]}}

    def examples(self, profile: Profile, payload: bytes) -> Schema:
        """Return an envelope for each name of the signed header."""
        header = base64url_encode(dump_json({"kid": _KID, "alg": profile.algorithm}))
        parts = base64url_encode(payload), header, _SIGNATURE
        return {
            member.value: {
                "description": f"Payload: `{payload.decode()}`",
                "value": json.loads(Envelope(*parts, member).to_bytes()),
            }
            for member in EnvelopeMember
        }

    def schemas(self) -> Schema:
        """Return the schemas of header and signature."""
        return {
            "Signature": {
                "type": "string",
                "contentEncoding": "base64url",
                "description": "RFC 7515 s7.2.2, signature",
            },
            "SignedHeader": {
                "type": "object",
                "description": "RFC 7515 s4. No other member is allowed.",
                "properties": {name: {"type": "string"} for name in sorted(HEADER_MEMBERS)}
                | {
                    "alg": {"enum": [V3.algorithm]},
                    "kid": {"type": "string", "minLength": 1, "maxLength": MAX_KID_LENGTH},
                },
                "required": ["alg", "kid"],
                "additionalProperties": False,
            },
        }

    def _spelling(self, member: EnvelopeMember, payload: Schema) -> Schema:
        return {
            "title": f"signed header as {member.value}",
            "properties": {
                "payload": _encoded(payload),
                member.value: _encoded(reference_to("SignedHeader")),
                "signature": reference_to("Signature"),
            },
            "required": ["payload", member.value, "signature"],
        }


class DetachedDress(Dress):
    """v4: the payload is the body; signature and token stand in HTTP headers."""

    def description(self, profile: Profile) -> str:
        """Say how to send."""
        return (
            f"Under `{profile.mount}` send the payload as it is. The header `Signature` has a detached JWS of exactly "
            f"these bytes by your key, with {profile.algorithm}; `Authorization` has your access token. The "
            "acknowledgement is signed in the same way; that of some messages stands inside a member `ack`."
        )

    def body(self, payload: Schema) -> Schema:
        """Return the schema itself."""
        return payload

    def examples(self, profile: Profile, payload: bytes) -> Schema:
        """Return the payload."""
        return {"payload": {"value": json.loads(payload)}}

    def parameters(self, profile: Profile) -> list[Schema]:
        """Return the header of the signature; that of the token is a security scheme."""
        return [{"name": "Signature", "in": "header", "required": True, **self._signature(profile)}]

    def headers(self, profile: Profile) -> Schema:
        """Return the header of the signature."""
        return {"Signature": {"required": True, **self._signature(profile)}}

    def security_schemes(self) -> Schema:
        """Describe certificate and token."""
        token = {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token that the network's Auth Service has given you.",
        }
        return {**_MUTUAL_TLS, "accessToken": token}

    def _signature(self, profile: Profile) -> Schema:
        header = {"alg": profile.algorithm, "kid": _KID, "b64": False, "crit": ["b64"]}
        return {
            "description": "A detached JWS over the body as it is (RFC 7515 Appendix F, RFC 7797).",
            "schema": {"type": "string"},
            "example": f"{base64url_encode(dump_json(header))}..{_SIGNATURE}",
        }


DRESSES: Mapping[str, Dress] = MappingProxyType({V3.name: EnvelopeDress(), V4.name: DetachedDress()})
"""By the name of the profile."""


def _encoded(payload: Schema) -> Schema:
    return {
        "type": "string",
        "contentEncoding": "base64url",
        "contentMediaType": "application/json",
        "contentSchema": payload,
    }
