"""Keys in the forms in which they arrive, the forms that are refused, and signatures."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from shared.protocol.encoding import base64url_decode, base64url_encode
from shared.protocol.signing import KeyMaterialError, load_private_key, load_public_key
from tests.protocol.receiver import NOW

SM2_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAECCRxylriXML+9f42mJGj9UVU4obR
47qAELtOikduKPUkFL+6HmkXBMTTblYOgr8j85yjYyIRIxlcQdb2sW+X1Q==
-----END PUBLIC KEY-----
"""


@pytest.fixture(scope="session")
def private(pems: tuple[str, ...]) -> RSAPrivateKey:
    key = load_pem_private_key(pems[0].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


@pytest.fixture(scope="session")
def public_pem(private: RSAPrivateKey) -> str:
    """The public key as `openssl rsa -pubout` writes it."""
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def certificate_of(private: RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lsp.example")])
    builder = x509.CertificateBuilder(name, name, private.public_key(), 7, NOW, NOW + timedelta(days=1))
    return builder.sign(private, SHA256()).public_bytes(Encoding.PEM).decode()


def jwk_of(private: RSAPrivateKey, **members: object) -> dict[str, object]:
    numbers = private.public_key().public_numbers()
    return {"kty": "RSA", "n": _as_text(numbers.n), "e": _as_text(numbers.e), **members}


def crafted_jwk(n: int, e: int) -> str:
    return json.dumps({"kty": "RSA", "n": _as_text(n), "e": _as_text(e)})


def _as_text(number: int) -> str:
    return base64url_encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
def test_a_private_key_is_read_as_either_openssl_version_writes_it(form: PrivateFormat, private: RSAPrivateKey) -> None:
    pem = private.private_bytes(Encoding.PEM, form, NoEncryption()).decode()

    key = load_private_key(pem, "lsp-1", "RS512")

    assert json.loads(base64url_decode(key.header)) == {"kid": "lsp-1", "alg": "RS512"}
    assert key.public().verify(b"text", key.sign(b"text"))


PUBLIC_FORMS: dict[str, Callable[[RSAPrivateKey, str], str]] = {
    "pem": lambda _, pem: pem,
    "pem between blank lines": lambda _, pem: f"\n\n{pem}\n",
    "pem with Windows line ends": lambda _, pem: pem.replace("\n", "\r\n"),
    "certificate": lambda private, _: certificate_of(private),
    "jwk": lambda private, _: json.dumps(jwk_of(private)),
    "jwk with more members": lambda private, _: json.dumps(jwk_of(private, kid="k", use="sig", alg="RS512", x5t="a")),
    "jwk set": lambda private, _: json.dumps({"keys": [jwk_of(private, kid="other"), jwk_of(private, kid="lsp-1")]}),
}


@pytest.mark.parametrize("form", PUBLIC_FORMS.values(), ids=PUBLIC_FORMS)
def test_a_public_key_is_read_in_each_of_its_forms(
    form: Callable[[RSAPrivateKey, str], str], private: RSAPrivateKey, public_pem: str, pems: tuple[str, ...]
) -> None:
    key = load_public_key(form(private, public_pem), "RS512", kid="lsp-1")

    signing = load_private_key(pems[0], "lsp-1", "RS512")
    assert key.verify(b"text", signing.sign(b"text"))
    assert key.thumbprint() == signing.public().thumbprint()
    assert key.to_pem() == public_pem


def test_a_jwk_set_with_one_key_needs_no_kid(private: RSAPrivateKey) -> None:
    assert load_public_key(json.dumps({"keys": [jwk_of(private)]}), "RS512")


@pytest.mark.parametrize("kid", ["lsp-1", None])
def test_an_empty_jwk_set_is_told_so_whatever_kid_is_sought(kid: str | None) -> None:
    with pytest.raises(KeyMaterialError, match=r"^the JWK set is empty; give one with an RSA key$"):
        load_public_key('{"keys":[]}', "RS512", kid)


@pytest.mark.parametrize("kids", [["a"], ["lsp-1", "lsp-1"]])
def test_a_jwk_set_without_exactly_one_such_key_is_refused(kids: list[str], private: RSAPrivateKey) -> None:
    keys = [jwk_of(private, kid=kid) for kid in kids]
    with pytest.raises(KeyMaterialError, match="keys for kid 'lsp-1'"):
        load_public_key(json.dumps({"keys": keys}), "RS512", kid="lsp-1")


def test_a_private_key_in_the_place_of_a_public_one_is_refused(pems: tuple[str, ...], private: RSAPrivateKey) -> None:
    secret = private.private_numbers().d
    with pytest.raises(KeyMaterialError, match="keep it secret"):
        load_public_key(pems[0], "RS512")
    with pytest.raises(KeyMaterialError, match="holds a private key"):
        load_public_key(json.dumps(jwk_of(private, d=_as_text(secret))), "RS512")


def test_a_public_key_in_the_place_of_a_private_one_is_refused(public_pem: str) -> None:
    with pytest.raises(KeyMaterialError, match="no private key in PEM"):
        load_private_key(public_pem, "lsp-1", "RS512")


def test_an_encrypted_private_key_is_refused_with_what_to_do(private: RSAPrivateKey) -> None:
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        pem = private.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")).decode()
        with pytest.raises(KeyMaterialError, match="encrypted; decrypt it with: openssl rsa"):
            load_private_key(pem, "lsp-1", "RS512")


@pytest.mark.parametrize("place", [80, 331, 700])
def test_a_private_key_that_lost_a_character_is_refused(place: int, pems: tuple[str, ...]) -> None:
    with pytest.raises(KeyMaterialError, match="was the whole file copied"):
        load_private_key(pems[0][:place] + pems[0][place + 1 :], "lsp-1", "RS512")


@pytest.mark.parametrize("place", [40, 120, 331])
def test_a_public_key_that_lost_a_character_is_refused(place: int, public_pem: str) -> None:
    with pytest.raises(KeyMaterialError, match="a character may be lost"):
        load_public_key(public_pem[:place] + public_pem[place + 1 :], "RS512")


@pytest.mark.parametrize("material", ["", "lsp.pem", "-----BEGIN PUBLIC KEY-----", "MIIBIjAN", "\udcff"])
def test_what_is_no_key_at_all_is_refused(material: str) -> None:
    with pytest.raises(KeyMaterialError):
        load_public_key(material, "RS512")
    with pytest.raises(KeyMaterialError):
        load_private_key(material, "lsp-1", "RS512")


@pytest.mark.parametrize(
    "material",
    [
        "{",
        "{}",
        '{"kty":"RSA"}',
        '{"kty":"RSA","n":"AQAB"}',
        '{"kty":"RSA","n":5,"e":5}',
        '{"kty":"oct","k":"c2VjcmV0"}',
        '{"keys":5}',
        '{"keys":[5]}',
        '{"keys":[]}',
        '{"generate":"RSA","size":2048}',
        '{"kty":"RSA","kty":"RSA"}',
    ],
)
def test_a_jwk_that_is_no_public_rsa_key_is_refused(material: str) -> None:
    with pytest.raises(KeyMaterialError):
        load_public_key(material, "RS512")


def test_a_jwk_for_encryption_is_refused(private: RSAPrivateKey) -> None:
    with pytest.raises(KeyMaterialError, match="not a usable RSA public key"):
        load_public_key(json.dumps(jwk_of(private, use="enc")), "RS512")


@pytest.mark.parametrize("algorithm", ["RS512", "RS256"])
def test_a_jwk_is_used_with_no_algorithm_but_the_one_that_it_names(algorithm: str, private: RSAPrivateKey) -> None:
    assert load_public_key(json.dumps(jwk_of(private, alg=algorithm)), algorithm)
    for other in ("RS384", "PS512", "RSA-OAEP", "none", "", "rs512", None, 5):
        material = json.dumps({"keys": [jwk_of(private, alg=other)]})
        with pytest.raises(KeyMaterialError, match=f"the JWK is for alg {other}; give one for {algorithm}"):
            load_public_key(material, algorithm)


@pytest.mark.parametrize("other", [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_key_that_is_not_rsa_is_refused(other: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
    with pytest.raises(KeyMaterialError, match="not RSA"):
        load_public_key(
            other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), "RS512"
        )
    with pytest.raises(KeyMaterialError, match="not RSA"):
        load_private_key(
            other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), "lsp-1", "RS512"
        )


def test_a_key_on_an_unsupported_curve_is_refused() -> None:
    with pytest.raises(KeyMaterialError, match="no public RSA key"):
        load_public_key(SM2_KEY, "RS512")


def test_a_key_of_1024_bits_is_refused_in_every_form() -> None:
    weak = generate_private_key(65537, 1024)
    pem = weak.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    public = weak.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    with pytest.raises(KeyMaterialError, match="1024 bits; use 2048"):
        load_private_key(pem, "lsp-1", "RS512")
    for material in (public, json.dumps(jwk_of(weak)), certificate_of(weak)):
        with pytest.raises(KeyMaterialError, match="1024 bits; use 2048"):
            load_public_key(material, "RS512")


@pytest.mark.parametrize("exponent", [3, 17, 65535])
def test_a_small_exponent_is_refused(exponent: int, private: RSAPrivateKey) -> None:
    modulus = private.public_key().public_numbers().n
    with pytest.raises(KeyMaterialError, match=f"exponent is {exponent}; use 65537"):
        load_public_key(crafted_jwk(modulus, exponent), "RS512")


@pytest.mark.parametrize("exponent", [1, 2, 65536, 65538])
def test_an_exponent_under_which_anything_verifies_or_nothing_is_refused(exponent: int, private: RSAPrivateKey) -> None:
    with pytest.raises(KeyMaterialError):
        load_public_key(crafted_jwk(private.public_key().public_numbers().n, exponent), "RS512")


@pytest.mark.parametrize("exponent", [2**32 + 1, 2**2047 + 1])
def test_an_exponent_that_makes_verifying_slow_is_refused(exponent: int, private: RSAPrivateKey) -> None:
    modulus = private.public_key().public_numbers().n
    with pytest.raises(KeyMaterialError, match=f"exponent is {exponent.bit_length()} bits long; use 65537"):
        load_public_key(crafted_jwk(modulus, exponent), "RS512")


def test_a_modulus_beyond_8192_bits_is_refused() -> None:
    with pytest.raises(KeyMaterialError, match="8200 bits; use 2048"):
        load_public_key(crafted_jwk(2**8199 + 1, 65537), "RS512")


def test_a_modulus_that_lost_a_character_is_refused(private: RSAPrivateKey) -> None:
    members = jwk_of(private)
    with pytest.raises(KeyMaterialError):
        load_public_key(json.dumps({**members, "n": str(members["n"])[1:]}), "RS512")


def test_an_error_never_quotes_the_material(pems: tuple[str, ...], private: RSAPrivateKey) -> None:
    for material in (pems[0], pems[0][:-60], json.dumps(jwk_of(private, d=_as_text(private.private_numbers().d)))):
        with pytest.raises(KeyMaterialError) as caught:
            load_public_key(material, "RS512")
        assert not any(line in str(caught.value) for line in pems[0].splitlines()[1:-1])


def test_a_private_key_does_not_show_in_its_representation(pems: tuple[str, ...], private: RSAPrivateKey) -> None:
    numbers = private.private_numbers()
    shown = repr(load_private_key(pems[0], "lsp-1", "RS512"))
    assert not any(text in shown for text in (_as_text(numbers.d), str(numbers.d), _as_text(numbers.p)))


def test_a_signature_counts_for_its_text_its_key_and_its_algorithm_only(pems: tuple[str, ...]) -> None:
    key, other = (load_private_key(pem, "lsp-1", "RS512") for pem in pems[:2])
    signature = key.sign(b"text")

    assert key.public().verify(b"text", signature)
    assert not key.public().verify(b"texT", signature)
    assert not other.public().verify(b"text", signature)
    assert not key.bound_to("RS256").public().verify(b"text", signature)
    assert not key.bound_to("PS512").public().verify(b"text", signature)


@pytest.mark.parametrize("signature", [b"", b"\x00", bytes(255), bytes(256), b"\xff" * 256, bytes(257), bytes(5000)])
def test_junk_is_no_signature(signature: bytes, pems: tuple[str, ...]) -> None:
    assert not load_private_key(pems[0], "lsp-1", "RS512").public().verify(b"text", signature)


def test_a_key_bound_to_another_algorithm_says_so_in_its_header(pems: tuple[str, ...]) -> None:
    key = load_private_key(pems[0], "lsp-1", "RS512").bound_to("RS256")

    assert (key.kid, key.algorithm) == ("lsp-1", "RS256")
    assert json.loads(base64url_decode(key.header)) == {"kid": "lsp-1", "alg": "RS256"}
    assert key.public().algorithm == "RS256"


def test_thumbprints_differ_between_keys_and_not_between_algorithms(pems: tuple[str, ...]) -> None:
    one, two = (load_private_key(pem, "lsp-1", "RS512") for pem in pems[:2])
    assert one.public().thumbprint() != two.public().thumbprint()
    assert one.public().thumbprint() == one.bound_to("RS256").public().thumbprint()


def test_the_crafted_keys_of_these_tests_are_otherwise_right(private: RSAPrivateKey) -> None:
    numbers = private.public_key().public_numbers()
    assert RSAPublicNumbers(numbers.e, numbers.n).public_key()
    assert load_public_key(crafted_jwk(numbers.n, numbers.e), "RS512")
