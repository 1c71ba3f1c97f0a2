"""joserfc as a witness: another implementation of RFC 7515 and RFC 7518 that shares no code with ours."""

from collections.abc import Mapping

from joserfc import jws
from joserfc.jwk import RSAKey


def verify_detached(signature: str, body: bytes, public_pem: str, algorithm: str) -> bytes:
    """Verify a detached JWS over a body, in the form of RFC 7797 or of RFC 7515 App. F; return what it is over."""
    registry = jws.JWSRegistry(algorithms=[algorithm])
    key = RSAKey.import_key(public_pem)
    return jws.deserialize_compact(signature, key, registry=registry, payload=body).payload


def verified_payload(envelope: Mapping[str, str], public_pem: str, algorithm: str) -> bytes:
    """Verify a flattened JWS and return its payload; the signed header gets the only name that joserfc knows."""
    members: jws.FlattenedJSONSerialization = {
        "payload": envelope["payload"],
        "protected": envelope.get("header") or envelope["protected"],
        "signature": envelope["signature"],
    }
    verified = jws.deserialize_json(members, RSAKey.import_key(public_pem), algorithms=[algorithm])
    assert verified.payload is not None
    return verified.payload
