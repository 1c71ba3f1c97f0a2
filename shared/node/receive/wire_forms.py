"""How a payload travels under each profile, as FastAPI's routes declare it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from shared.node.receive.wire_models import SignedEnvelope
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.envelope import Envelope
from shared.protocol.participants import EnvelopeMember
from shared.protocol.profiles import V3, V4, Profile

_KID: Final = "7a3c9d52-6f1e-4b8a-9c04-2d5e8f7b1a63"
_SIGNATURE: Final = base64url_encode(b"here stands the signature: 256 bytes or more, by the key that kid names")
_MUTUAL_TLS: Final = {
    "type": "mutualTLS",
    "description": "TLS 1.2 or newer; your certificate is the one that you were onboarded with.",
}
_ACCESS_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The access token that the network's Auth Service has given you.",
}


@dataclass(frozen=True, slots=True)
class WireForm:
    """What routes and documents say of one profile.

    Attributes:
        how_to_send: one paragraph for people.
        security_schemes: what every call needs, all of it.
        model: makes the model of a body from that of the payload which it carries.
        examples: makes Example Objects of a body with these payload bytes, one for each form that it may have.
        signature_headers: the HTTP headers of a signature, as OpenAPI describes them.
    """

    profile: Profile
    how_to_send: str
    security_schemes: Mapping[str, Any]
    model: Callable[[Any], Any]
    examples: Callable[[bytes], dict[str, Any]]
    signature_headers: Mapping[str, Any]

    @property
    def operation(self) -> dict[str, Any]:
        """What an operation says of it beyond bodies; an access token is a security scheme, and no parameter."""
        headers = [{"name": name, "in": "header", **header} for name, header in self.signature_headers.items()]
        security: dict[str, list[str]] = {name: [] for name in self.security_schemes}
        return {"security": [security]} | ({"parameters": headers} if headers else {})


def _envelopes(payload: bytes) -> dict[str, Any]:
    header = base64url_encode(dump_json({"kid": _KID, "alg": V3.algorithm}))
    parts = base64url_encode(payload), header, _SIGNATURE
    shown = json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    return {
        member.value: {
            "description": f"Payload:\n\n```json\n{shown}\n```",
            "value": json.loads(Envelope(*parts, member).to_bytes()),
        }
        for member in EnvelopeMember
    }


_DETACHED_HEADER: Final = base64url_encode(dump_json({"alg": V4.algorithm, "kid": _KID, "b64": False, "crit": ["b64"]}))

_V3: Final = WireForm(
    profile=V3,
    how_to_send=f"Under `{V3.mount}` send the payload as an envelope: a flattened JWS whose three parts are base64url "
    f"without padding. The signature is by your key over the bytes `header.payload`, with {V3.algorithm}. Answer and "
    "acknowledgement come in the shape of the request.",
    security_schemes={"mutualTLS": _MUTUAL_TLS},
    model=lambda payload: SignedEnvelope[payload],  # type: ignore[valid-type]
    examples=_envelopes,
    signature_headers={},
)

_V4: Final = WireForm(
    profile=V4,
    how_to_send=f"Under `{V4.mount}` send the payload as it is. The header `Signature` has a detached JWS of exactly "
    f"these bytes by your key, with {V4.algorithm}; `Authorization` has your access token. The acknowledgement is "
    "signed in the same way; that of some messages stands inside a member `ack`.",
    security_schemes={"mutualTLS": _MUTUAL_TLS, "accessToken": _ACCESS_TOKEN},
    model=lambda payload: payload,
    examples=lambda payload: {"payload": {"value": json.loads(payload)}},
    signature_headers={
        "Signature": {
            "required": True,
            "description": "A detached JWS over the body as it is (RFC 7515 Appendix F, RFC 7797).",
            "schema": {"type": "string"},
            "example": f"{_DETACHED_HEADER}..{_SIGNATURE}",
        }
    },
)

WIRE_FORMS: Mapping[str, WireForm] = MappingProxyType({form.profile.name: form for form in (_V3, _V4)})
"""By the name of the profile."""
