"""Onboarding forms: a good one, and what is put into its fields."""

import functools
import json
import ssl
import tempfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.node.onboarding.form import OnboardingForm
from shared.protocol.encoding import base64url_encode
from tests.equipment.records import public_pem
from tests.node.certificates import Authority, private_pem, rsa_key


@functools.cache
def certificate_pem(name: str = "bank.example", **wrong: Any) -> str:
    """A certificate for bank.example, right unless an argument says otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        return Authority().issue(Path(folder), name, **({"hosts": ("bank.example",)} | wrong)).pem


def certificate_of_no_name() -> str:
    """A certificate whose subject is no UTF-8: OpenSSL does not load it, others see that later."""
    der = ssl.PEM_cert_to_DER_cert(certificate_pem("no name"))
    return ssl.DER_cert_to_PEM_cert(der.replace(b"no name", b"\xff" * len(b"no name")))


def form_entry(**changes: Any) -> dict[str, Any]:
    """The form of a lender with two keys."""
    return {
        "organisation_id": "BANK01",
        "name": "First Bank",
        "role": "LENDER",
        "base_url": "https://bank.example/credit",
        "tls_certificate": certificate_pem(),
        "public_key": public_pem("bank"),
        "kid": "bank-a",
        "backup_public_key": public_pem("bank backup"),
        "backup_kid": "bank-b",
        "spoc_email": "ocen@bank.example",
        "spoc_phone": "+91 22 5550 0100",
        "ip_addresses": ["192.0.2.7", "198.51.100.0/24"],
    } | changes


def form(**changes: Any) -> OnboardingForm:
    """The form, as it is read."""
    return OnboardingForm.model_validate(form_entry(**changes))


def private_text(owner: str = "bank") -> str:
    """A private key in PEM."""
    return private_pem(rsa_key(owner)).decode()


def jwk(owner: str, kid: str = "", **members: Any) -> dict[str, Any]:
    """A public key as JWK."""
    numbers = rsa_key(owner).public_key().public_numbers()
    made = {"kty": "RSA", "n": _unsigned(numbers.n), "e": _unsigned(numbers.e)}
    return made | ({"kid": kid} if kid else {}) | members


def private_jwk(owner: str, kid: str) -> dict[str, Any]:
    """A private key as JWK."""
    return jwk(owner, kid, d=_unsigned(rsa_key(owner).private_numbers().d))


def jwk_set(*keys: dict[str, Any]) -> str:
    """A JWK set (RFC 7517 s5) as text."""
    return json.dumps({"keys": keys})


def key_with_exponent(exponent: int) -> str:
    """A public key with that exponent; 1 makes everything its own signature."""
    numbers = RSAPublicNumbers(exponent, rsa_key("bank").public_key().public_numbers().n)
    return numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def without_character(pem: str) -> str:
    """A PEM text of which one character was lost on the way."""
    return pem[:100] + pem[101:]


def _unsigned(number: int) -> str:
    return base64url_encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
