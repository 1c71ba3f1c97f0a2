"""A public key in the forms that a forger tries as a secret, or sends along."""

import base64

from shared.protocol.signing import VerificationKey


def public_jwk(key: VerificationKey) -> dict[str, str]:
    """Return the key as a JWK."""
    members: dict[str, str] = key.jwk.export_public(as_dict=True)
    return members


def public_forms(key: VerificationKey) -> dict[str, bytes]:
    """Return the key in every form that verifiers keep it in."""
    pem = key.to_pem()
    return {
        "PEM": pem.encode(),
        "PEM without its last line break": pem.rstrip().encode(),
        "DER": base64.b64decode("".join(pem.splitlines()[1:-1])),
        "modulus": public_jwk(key)["n"].encode(),
    }
