"""How a payload travels under each profile, as FastAPI's routes declare it.

v3: in an envelope. OCEN 4.0: as it is, signed in an HTTP header, with an access token in another.
"""

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final

from fastapi import Body, Header

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
class WireForm(ABC):
    """What routes and documents say of one profile."""

    profile: Profile

    @property
    @abstractmethod
    def description(self) -> str:
        """One paragraph on how to send."""

    @abstractmethod
    def model(self, payload: Any) -> Any:
        """Return the model of a body that carries a payload of that model."""

    @abstractmethod
    def examples(self, payload: bytes) -> dict[str, Any]:
        """Return Example Objects of a body that carries these payload bytes, one for each form that it may have."""

    @property
    def security_schemes(self) -> dict[str, Any]:
        """What every call needs, all of it."""
        return {"mutualTLS": _MUTUAL_TLS}

    @property
    def response_headers(self) -> dict[str, Any]:
        """The HTTP headers of an ack."""
        return {}

    def parameters(self, payload: Any) -> list[inspect.Parameter]:
        """Return what FastAPI reads of a message, if it read it: the body, and the HTTP headers."""
        return [_parameter("body", Annotated[self.model(payload), Body()])]


class EnvelopeForm(WireForm):
    """v3: header, payload and signature in one JSON object."""

    @property
    def description(self) -> str:
        """How to send."""
        return (
            f"Under `{self.profile.mount}` send the payload as an envelope: a flattened JWS whose three parts are "
            "base64url without padding. The signature is by your key over the bytes `header.payload`, with "
            f"{self.profile.algorithm}. Answer and acknowledgement come in the shape of the request."
        )

    def model(self, payload: Any) -> Any:
        """Return the envelope of that payload."""
        return SignedEnvelope[payload]

    def examples(self, payload: bytes) -> dict[str, Any]:
        """Return an envelope for each name of the signed header."""
        header = base64url_encode(dump_json({"kid": _KID, "alg": self.profile.algorithm}))
        parts = base64url_encode(payload), header, _SIGNATURE
        shown = json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
        return {
            member.value: {
                "description": f"Payload:\n\n```json\n{shown}\n```",
                "value": json.loads(Envelope(*parts, member).to_bytes()),
            }
            for member in EnvelopeMember
        }


class DetachedForm(WireForm):
    """OCEN 4.0: the payload is the body; signature and token stand in HTTP headers."""

    @property
    def description(self) -> str:
        """How to send."""
        return (
            f"Under `{self.profile.mount}` send the payload as it is. The header `Signature` has a detached JWS of "
            f"exactly these bytes by your key, with {self.profile.algorithm}; `Authorization` has your access token. "
            "The acknowledgement is signed in the same way; that of some messages stands inside a member `ack`."
        )

    def model(self, payload: Any) -> Any:
        """Return the model of the payload itself."""
        return payload

    def examples(self, payload: bytes) -> dict[str, Any]:
        """Return the payload."""
        return {"payload": {"value": json.loads(payload)}}

    @property
    def security_schemes(self) -> dict[str, Any]:
        """Certificate and token."""
        return {"mutualTLS": _MUTUAL_TLS, "accessToken": _ACCESS_TOKEN}

    @property
    def response_headers(self) -> dict[str, Any]:
        """The header of the signature."""
        signature = {"description": _DETACHED, "schema": {"type": "string"}, "example": self._signature}
        return {"Signature": {"required": True, **signature}}

    def parameters(self, payload: Any) -> list[inspect.Parameter]:
        """Return the body and the header of the signature; that of the token is a security scheme."""
        header = Header(
            alias="Signature", description=_DETACHED, openapi_examples={"RFC 7797": {"value": self._signature}}
        )
        return [*super().parameters(payload), _parameter("signature", Annotated[str, header])]

    @property
    def _signature(self) -> str:
        header = {"alg": self.profile.algorithm, "kid": _KID, "b64": False, "crit": ["b64"]}
        return f"{base64url_encode(dump_json(header))}..{_SIGNATURE}"


_DETACHED: Final = "A detached JWS over the body as it is (RFC 7515 Appendix F, RFC 7797)."

WIRE_FORMS: Mapping[str, WireForm] = MappingProxyType({V3.name: EnvelopeForm(V3), V4.name: DetachedForm(V4)})
"""By the name of the profile."""


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
