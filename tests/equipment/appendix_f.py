"""Signatures in the form of RFC 7515 Appendix F, over the body in base64url: we take it, and do not send it (P19)."""

from shared.protocol.detached import SIGNATURE_HEADER, signing_input
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.participants import Dialect
from shared.protocol.signing import SigningKey


def seal_in_base64(body: bytes, key: SigningKey, dialect: Dialect = Dialect.STRICT) -> dict[str, str]:
    """Sign as `seal_detached` does, but for the form."""
    header = base64url_encode(dump_json({"alg": key.algorithm, "kid": key.kid}))
    signature = base64url_encode(key.sign(signing_input(header, body, is_unencoded=False)))
    return {SIGNATURE_HEADER: f"{header}..{signature}"}
