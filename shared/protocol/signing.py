"""RSA signatures over exact bytes, and the forms in which keys arrive (RFC 7518 s3.3, OCEN v3 Security).

cryptography does the arithmetic, jwcrypto reads and writes keys as JWK. jwcrypto's JWS class is left aside: it accepts
more than this protocol allows and copies its registries for every object, which costs several verifications.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from jwcrypto.jwk import JWK

from shared.protocol.encoding import EncodingError, base64url_encode, dump_json, parse_json_object

RS512: Final = "RS512"
"""RSASSA-PKCS1-v1_5 with SHA-512: every message of OCEN v3 (RFC 7518 s3.3)."""

RS256: Final = "RS256"
"""The same with SHA-256: every message and access token of OCEN 4.0."""

MINIMUM_BITS = 2048
MAXIMUM_BITS = 8192
"""A larger modulus only makes us slow: verification time grows with its square."""

MINIMUM_EXPONENT = 65537
MAXIMUM_EXPONENT = 2**32 - 1
"""With an exponent as long as the modulus a verification takes as long as a signature, and others choose it for us."""

_PKCS1 = PKCS1v15()

Scheme = tuple[PKCS1v15 | PSS, HashAlgorithm]

_SCHEMES: Mapping[str, Scheme] = {
    "RS256": (_PKCS1, SHA256()),
    "RS384": (_PKCS1, SHA384()),
    "RS512": (_PKCS1, SHA512()),
    "PS256": (PSS(MGF1(SHA256()), PSS.DIGEST_LENGTH), SHA256()),
    "PS512": (PSS(MGF1(SHA512()), PSS.DIGEST_LENGTH), SHA512()),
}
"""Padding and hash by algorithm (RFC 7518 s3.1). Profiles use RS256 and RS512; with the others messages are spoiled."""

_DIGEST_INFO = {
    "SHA-1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "SHA-256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "SHA-384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "SHA-512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""What stands before the digest in a PKCS#1 v1.5 signature (RFC 8017 s9.2, notes)."""

_PRIVATE_JWK = "this JWK holds a private key; give it without d, p, q, dp, dq and qi"

_NO_JWK = "the JWK is not a usable RSA public key; give one with kty RSA, n and e, for signatures"

_JWK_MEMBERS = ("kty", "n", "e", "use", "key_ops")
"""What is handed on of a JWK from outside; jwcrypto makes a new key where it finds a member `generate`."""


class KeyMaterialError(ValueError):
    """Key material that cannot be used; the message says what was found and what to do, never the material."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public RSA key bound to one algorithm (`RS512` or `RS256`)."""

    algorithm: str
    jwk: JWK
    _public: RSAPublicKey
    _scheme: Scheme

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Tell whether the signature is this key's over exactly these bytes (RFC 7515 s5.2)."""
        try:
            self._public.verify(signature, signing_input, *self._scheme)
        except InvalidSignature:
            return False
        return True

    def open(self, signature: bytes) -> tuple[str, bytes] | None:
        """Return the hash and the digest that were signed, or None if it is no signature by this key (RFC 8017 s9.2).

        Good for telling people what they signed instead; a verdict is for `verify` alone.
        """
        try:
            signed = self._public.recover_data_from_signature(signature, _PKCS1, None)
        except (InvalidSignature, ValueError):
            return None
        for name, prefix in _DIGEST_INFO.items():
            if signed.startswith(prefix):
                return name, signed[len(prefix) :]
        return "no known hash", signed

    def thumbprint(self) -> str:
        """Return the JWK thumbprint (RFC 7638), base64url of SHA-256: equal for equal keys in whatever form."""
        return str(self.jwk.thumbprint())

    def to_pem(self) -> str:
        """Return the key as `openssl rsa -pubout` writes it."""
        return bytes(self.jwk.export_to_pem()).decode("ascii")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private RSA key under its kid, bound to one algorithm; `header` is its protected header in base64url."""

    kid: str
    algorithm: str
    header: str
    _private: RSAPrivateKey
    _scheme: Scheme = field(compare=False)

    def sign(self, signing_input: bytes) -> bytes:
        """Sign exactly these bytes (RSASSA-PKCS1-v1_5, deterministic: the same bytes give the same signature)."""
        return self._private.sign(signing_input, *self._scheme)

    def public(self) -> VerificationKey:
        """Return the public half."""
        return _public(self._private.public_key(), self.algorithm)

    @lru_cache(maxsize=16)  # noqa: B019 - a process has few keys
    def bound_to(self, algorithm: str) -> "SigningKey":
        """Return the same key under the same kid, bound to an algorithm."""
        header, scheme = _protected_header(self.kid, algorithm), _SCHEMES[algorithm]
        return replace(self, algorithm=algorithm, header=header, _scheme=scheme)


def new_private_key() -> RSAPrivateKey:
    """Make an RSA key of 2048 bits (RFC 7518 s3.3 asks for no fewer)."""
    return generate_private_key(public_exponent=MINIMUM_EXPONENT, key_size=MINIMUM_BITS)


def private_pem(key: RSAPrivateKey) -> bytes:
    """Write a private key as `openssl genpkey` does: PKCS#8 in PEM, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_private_key(material: str, kid: str, algorithm: str) -> SigningKey:
    """Load a private RSA key in PEM, as `openssl genrsa 2048` writes it.

    Raises:
        KeyMaterialError: not a PEM private key, encrypted, not RSA, or shorter than 2048 bits.
    """
    if "PRIVATE KEY-----" not in material:
        raise KeyMaterialError("this is no private key in PEM; make one with: openssl genrsa -out private.pem 2048")
    try:
        private = load_pem_private_key(material.encode(), password=None)
    except TypeError as error:
        raise KeyMaterialError("the private key is encrypted; decrypt it with: openssl rsa -in KEY -out NEW") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyMaterialError("the private key does not parse as RSA; was the whole file copied?") from error
    if not isinstance(private, RSAPrivateKey):
        raise KeyMaterialError("the private key is not RSA; make one with: openssl genrsa -out private.pem 2048")
    _check_strength(private.public_key())
    return SigningKey(kid, algorithm, _protected_header(kid, algorithm), private, _SCHEMES[algorithm])


def load_public_key(material: str, algorithm: str, kid: str | None = None) -> VerificationKey:
    """Load a public RSA key from PEM (SPKI), an X.509 certificate in PEM, a JWK, or a JWK set with that kid.

    Raises:
        KeyMaterialError: unreadable, a private key, not RSA, weak, not in the set, or a JWK that names another
            algorithm, with which alone it may be used (RFC 7517 s4.4).
    """
    text = material.strip()
    if "PRIVATE KEY-----" in text:
        raise KeyMaterialError("this is a private key; keep it secret and give the public one (openssl rsa -pubout)")
    public = _from_jwk(text, algorithm, kid) if text.startswith("{") else _from_pem(text)
    if not isinstance(public, RSAPublicKey):
        raise KeyMaterialError("the key is not RSA; the OCEN algorithms are RSA with 2048 bits or more")
    _check_strength(public)
    return _public(public, algorithm)


def _public(public: RSAPublicKey, algorithm: str) -> VerificationKey:
    return VerificationKey(algorithm, JWK.from_pyca(public), public, _SCHEMES[algorithm])


def _protected_header(kid: str, algorithm: str) -> str:
    return base64url_encode(dump_json({"kid": kid, "alg": algorithm}))


def _from_pem(text: str) -> object:
    try:
        if text.startswith("-----BEGIN CERTIFICATE-----"):
            return x509.load_pem_x509_certificate(text.encode()).public_key()
        return load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyMaterialError(
            "this is no public RSA key in PEM, X.509 or JWK; a character may be lost: make it again with "
            "openssl rsa -in private.pem -pubout"
        ) from error


def _from_jwk(text: str, algorithm: str, kid: str | None) -> object:
    try:
        members = parse_json_object(text.encode())
        if "keys" in members:
            members = _select(members["keys"], kid)
        if "d" in members:
            raise KeyMaterialError(_PRIVATE_JWK)
        if (named := members.get("alg", algorithm)) != algorithm:
            raise KeyMaterialError(f"the JWK is for alg {str(named)[:20]}; give one for {algorithm}, or without alg")
        return JWK(**{name: members[name] for name in _JWK_MEMBERS if name in members}).get_op_key("verify")
    except KeyMaterialError:
        raise
    except EncodingError as error:
        raise KeyMaterialError(f"the JWK does not parse: {error}") from error
    except Exception as error:  # jwcrypto raises many kinds for a bad JWK; none of them is ours to keep apart
        raise KeyMaterialError(_NO_JWK) from error


def _select(keys: Any, kid: str | None) -> dict[str, Any]:
    if any(isinstance(key, dict) and "d" in key for key in keys):
        raise KeyMaterialError(_PRIVATE_JWK)
    found = [key for key in keys if isinstance(key, dict) and (kid is None or key.get("kid") == kid)]
    if not found and (kid is None or not keys):
        raise KeyMaterialError("the JWK set is empty; give one with an RSA key")
    if len(found) != 1:
        which = "; name one of them by its kid" if kid is None else f" for kid {kid!r}; name one of them"
        raise KeyMaterialError(f"the JWK set holds {len(found)} keys{which}")
    return found[0]


def _check_strength(public: RSAPublicKey) -> None:
    if not MINIMUM_BITS <= public.key_size <= MAXIMUM_BITS:
        raise KeyMaterialError(f"the key has {public.key_size} bits; use {MINIMUM_BITS} (at most {MAXIMUM_BITS})")
    exponent = public.public_numbers().e
    if not MINIMUM_EXPONENT <= exponent <= MAXIMUM_EXPONENT or exponent % 2 == 0:
        found = exponent if exponent <= MAXIMUM_EXPONENT else f"{exponent.bit_length()} bits long"
        raise KeyMaterialError(f"the key's exponent is {found}; use {MINIMUM_EXPONENT}, as openssl does")
