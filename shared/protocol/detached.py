"""The detached JWS of OCEN 4.0: a header and a signature in an HTTP header, the payload is the body (RFC 7515 App. F).

Three forms are about. RFC 7797 with `b64` false and `crit`, over the body as it is: right by the RFC, and the one form
that official starters accept too, so it is what we send. RFC 7515 Appendix F, over the body in base64url. And what
official starters send: `b64` false without `crit`, which RFC 7797 s6 forbids.
"""

from collections.abc import Mapping
from functools import lru_cache

from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.participants import Dialect
from shared.protocol.signing import SigningKey

SIGNATURE_HEADER = "signature"
"""Where the documents put it; lower case, as ASGI has header names."""

STARTER_HEADER = "x-jws-signature"
"""Where official starters put it."""


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
