"""The certificates of the form: only those are taken that will pass in a handshake, as server, as client or both."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.node.onboarding.certificates import (
    CertificateUse,
    checked_certificate,
    checked_certificates,
    checked_pair,
    uses_of,
)
from shared.node.onboarding.fields import FieldError
from shared.node.onboarding.record import leaf_of
from shared.node.ops.participant_views import CertificateView
from shared.protocol.encoding import format_timestamp
from tests.equipment.clock import NOW
from tests.equipment.forms import certificate_pem, private_text
from tests.node.certificates import CLIENT, FAR_FUTURE, LONG_PAST, SERVER, rsa_key, self_signed

URL = "https://bank.example/credit"


def judged(text: str, base_url: str = URL) -> tuple[str, list[str]]:
    errors: list[FieldError] = []
    pem = checked_certificate(text, base_url, NOW, errors)
    assert {error.field for error in errors} <= {"tls_certificate"}
    return pem, [error.found for error in errors]


def with_extension_twice() -> str:
    """A certificate that names its key identifier twice (RFC 5280 s4.2 forbids it)."""
    key = rsa_key("leaf")
    name = x509.Name([])
    marks = [x509.UnrecognizedExtension(x509.ObjectIdentifier(f"2.5.29.{last}"), b"\x04\x01a") for last in (13, 14)]
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, LONG_PAST, FAR_FUTURE)
    made = builder.add_extension(marks[0], False).add_extension(marks[1], False).sign(key, hashes.SHA256())
    der = made.public_bytes(Encoding.DER).replace(b"\x06\x03\x55\x1d\x0d", b"\x06\x03\x55\x1d\x0e")
    return ssl.DER_cert_to_PEM_cert(der)


def test_a_good_certificate_is_taken_whatever_stands_around_it() -> None:
    pem = certificate_pem()
    assert judged(pem) == judged(f"Bag Attributes\n\n{pem}") == (pem, [])


def test_of_a_chain_the_leaf_is_kept() -> None:
    assert judged(certificate_pem() + certificate_pem(is_authority=True)) == (certificate_pem(), [])


@pytest.mark.parametrize(
    ("hosts", "base_url"),
    [
        (("bank.example",), "https://BANK.example:9443"),
        (("Bank.Example", "other.example"), URL),
        (("*.bank.example",), "https://api.bank.example"),
        (("192.0.2.7",), "https://192.0.2.7:9443"),
        (("2001:db8::7",), "https://[2001:db8:0::7]"),
    ],
)
def test_a_certificate_that_names_the_host_is_taken(hosts: tuple[str, ...], base_url: str) -> None:
    assert judged(certificate_pem(hosts=hosts), base_url)[1] == []


@pytest.mark.parametrize(
    ("hosts", "base_url"),
    [
        (("other.example",), URL),
        (("*.bank.example",), "https://a.b.bank.example"),
        (("*.bank.example",), URL),
        (("*.example",), URL),
        (("192.0.2.8",), "https://192.0.2.7"),
        (("bank.example",), "https://192.0.2.7"),
    ],
)
def test_a_certificate_that_does_not_name_the_host_is_an_error(hosts: tuple[str, ...], base_url: str) -> None:
    (found,) = judged(certificate_pem(hosts=hosts), base_url)[1]
    assert "the host of base_url" in found


def test_the_common_name_alone_does_not_count(tmp_path: Path) -> None:
    (found,) = judged(self_signed(tmp_path, "bank.example").pem)[1]
    assert found == "does not name bank.example, the host of base_url"


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"not_after": NOW - timedelta(seconds=1)}, "expired on 2031-03-04"),
        ({"not_before": NOW + timedelta(hours=1)}, "not valid before 2031-03-04 06:06 UTC"),
        ({"key": rsa_key("short", 1024)}, "an RSA key of 1024 bits"),
        ({"is_authority": True}, "an issuer's certificate (CA:TRUE)"),
        ({"usages": (ExtendedKeyUsageOID.CODE_SIGNING,)}, "not made for serving or calling"),
        ({"can_sign": False}, "not made for signing (digitalSignature)"),
    ],
)
def test_a_certificate_that_would_be_refused_in_a_handshake_is_an_error(wrong: dict[str, Any], found: str) -> None:
    assert judged(certificate_pem(**wrong))[1] == [found]


SERVES, CALLS = certificate_pem(usages=(SERVER,)), certificate_pem(usages=(CLIENT,), hosts=("x.example",))


def pair(serving: str, calling: str) -> tuple[list[str], list[str]]:
    errors: list[FieldError] = []
    return checked_pair(serving, calling, URL, NOW, errors), [f"{error.field}: {error.found}" for error in errors]


def several(*texts: str) -> list[str]:
    errors: list[FieldError] = []
    checked_certificates(texts, URL, NOW, errors)
    return [str(error) for error in errors]


def test_a_certificate_that_names_no_use_is_for_both() -> None:
    unnamed = certificate_pem(usages=())
    assert uses_of(leaf_of(unnamed)) == uses_of(leaf_of(certificate_pem())) == list(CertificateUse)
    assert (uses_of(leaf_of(SERVES)), uses_of(leaf_of(CALLS))) == ([CertificateUse.SERVING], [CertificateUse.CALLING])


def test_of_a_pair_each_is_judged_for_its_use_and_only_the_one_that_serves_has_to_name_the_host() -> None:
    assert pair(SERVES, CALLS) == ([SERVES, CALLS], [])
    assert pair(certificate_pem(), "") == ([certificate_pem()], [])
    assert pair(certificate_pem(), certificate_pem()) == ([certificate_pem()], [])
    assert pair(certificate_pem(usages=(CLIENT,)), SERVES)[1] == [
        "tls_certificate: not made for serving",
        "tls_client_certificate: not made for calling",
    ]
    assert pair(SERVES, "")[1] == ["tls_certificate: not made for calling"]
    assert pair(SERVES, private_text())[1] == ["tls_client_certificate: a private key"]


def test_of_several_certificates_some_have_to_serve_and_some_to_call() -> None:
    assert several(SERVES, CALLS) == several(certificate_pem()) == []
    (told,) = several(SERVES)
    assert told.startswith("tls_certificates: none is made for calling: add one with clientAuth")
    (told,) = several(CALLS)
    assert told.startswith("tls_certificates: none is made for serving: add one with serverAuth")


def test_a_certificate_with_a_broken_hash_is_an_error() -> None:
    sha256, sha1 = (bytes.fromhex(f"2a864886f70d0101{last}") for last in ("0b", "05"))  # RFC 8017 appendix C
    der = ssl.PEM_cert_to_DER_cert(certificate_pem()).replace(sha256, sha1)
    assert judged(ssl.DER_cert_to_PEM_cert(der))[1] == ["signed with SHA1"]


def test_a_certificate_that_names_an_extension_twice_is_refused_and_nothing_is_raised() -> None:
    with pytest.raises(x509.DuplicateExtension):
        _ = x509.load_pem_x509_certificate(with_extension_twice().encode()).extensions
    pem, found = judged(with_extension_twice())
    assert (pem, len(found)) == ("", 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "empty"),
        ("paste it here", "no certificate in PEM that can be read"),
        (certificate_pem()[:300], "no certificate in PEM that can be read"),
        (certificate_pem().replace("CERTIFICATE", "PUBLIC KEY"), "no certificate in PEM that can be read"),
        (private_text(), "a private key"),
        (certificate_pem() + private_text(), "a private key"),
        ("\ud800", "no certificate in PEM that can be read"),
    ],
)
def test_what_is_no_certificate_is_an_error(text: str, found: str) -> None:
    assert judged(text) == ("", [found])


def test_a_summary_tells_whose_it_is_and_until_when() -> None:
    shown = CertificateView(thumbprint="ab", pem=certificate_pem()).model_dump()
    assert (shown["subject"], shown["expires_at"]) == ("CN=bank.example", format_timestamp(FAR_FUTURE))


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_spoiled_certificate_is_taken_or_an_error(data: st.DataObject) -> None:
    der = bytearray(ssl.PEM_cert_to_DER_cert(certificate_pem()))
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    pem, found = judged(ssl.DER_cert_to_PEM_cert(bytes(der)))
    assert pem or found


@settings(deadline=None, max_examples=100)
@given(st.text())
def test_any_text_is_no_certificate(text: str) -> None:
    assert judged(text)[0] == ""
