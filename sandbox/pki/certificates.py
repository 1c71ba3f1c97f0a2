"""The sandbox's X.509 certificates and RSA keys: made and judged in memory, no files here (RFC 5280).

What is made here passes OpenSSL's strict reading of RFC 5280 (`VERIFY_X509_STRICT`): critical basic constraints and
key usage, subject and authority key identifiers, a subject alternative name.
"""

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from shared.node.onboarding.certificates import EXTENDED_USAGES, CertificateUse

AUTHORITY_VALIDITY: Final = timedelta(days=3650)
LEAF_VALIDITY: Final = timedelta(days=730)
BACKDATED: Final = timedelta(minutes=1)
"""How long before its making a certificate is valid already, so that a peer with a slow clock accepts it."""

_DNS_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


class PkiError(Exception):
    """Keys or certificates cannot be made, read or used; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Authority:
    """The sandbox's certificate authority; `key` is None where its private key is kept elsewhere."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey | None

    def has_issued(self, certificate: x509.Certificate) -> bool:
        """Tell whether the certificate bears this authority's name and signature."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def public_pem(key: rsa.RSAPublicKey) -> bytes:
    """Write a public key as `openssl rsa -pubout` does: SPKI in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_fingerprint(key: rsa.RSAPublicKey) -> str:
    """Return SHA-256 of the SPKI in DER, lower-case hex."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def fingerprint(certificate: x509.Certificate) -> str:
    """Return SHA-256 of the certificate in DER, lower-case hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def canonical_host(name: str) -> str:
    """Return a host name in lower case, or an address in its shortest form.

    Raises PkiError if it is neither a DNS name in ASCII nor an IPv4 or IPv6 address.
    """
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        labels = name.lower().split(".")
    all_digits = labels[-1].isdigit()  # such as 10.0.0.256: meant as an address, and no name can end so
    if len(name) > 253 or all_digits or not all(_DNS_LABEL.fullmatch(label) for label in labels):
        raise PkiError(f"{name!r} is no host name or IP address: give one such as lender.example or 10.0.0.5")
    return ".".join(labels)


def authority_certificate(key: rsa.RSAPrivateKey, now: datetime) -> x509.Certificate:
    """Make the authority's own certificate, valid for ten years from `now` (aware); it signs leaves only."""
    name = _name("OCEN sandbox certificate authority")
    return (
        _builder(name, name, key.public_key(), now, now + AUTHORITY_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def leaf_certificate(
    authority: Authority,
    subject: str,
    key: rsa.RSAPublicKey,
    hosts: list[str],
    now: datetime,
    *,
    uses: Iterable[CertificateUse] = CertificateUse,
) -> x509.Certificate:
    """Issue a TLS certificate for these uses, valid for two years from `now` (aware).

    Raises PkiError if the authority's private key is not here.
    """
    if authority.key is None:
        raise PkiError("no certificate can be issued without ca.key: put it back beside ca.pem, or delete the folder")
    until = min(now + LEAF_VALIDITY, authority.certificate.not_valid_after_utc)
    usages = [EXTENDED_USAGES[use] for use in uses]
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return (
        _builder(_name(subject), authority.certificate.subject, key, now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(authority_id, critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def hosts_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names and addresses that the certificate is valid for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *(str(address) for address in addresses))


def leaf_fault(
    certificate: x509.Certificate, authority: Authority, key: rsa.RSAPublicKey, hosts: list[str], now: datetime
) -> str | None:
    """Say why the certificate cannot serve with this key, for these hosts, at this aware time; None if it can."""
    if certificate.public_key() != key:
        return "is of another private key"
    if not authority.has_issued(certificate):
        return "was not issued by ca.pem"
    if certificate.not_valid_after_utc <= now:
        return "has expired"
    absent = [host for host in hosts if host not in hosts_of(certificate)]
    return f"does not name {', '.join(absent)}" if absent else None


def _name(common_name: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "OCEN sandbox (not for production)")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Signing alone: every suite allowed here agrees on keys by (EC)DHE, so none encrypts to the certificate."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
