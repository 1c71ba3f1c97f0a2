"""Throwaway certificates for tests: authorities, and leaves that are right, or wrong in one respect."""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# OpenSSL goes by the machine's clock, so the dates stand far from any day on which the tests may run.
LONG_PAST = datetime(2020, 1, 1, tzinfo=UTC)
PAST = datetime(2021, 1, 1, tzinfo=UTC)
FUTURE = datetime(2090, 1, 1, tzinfo=UTC)
FAR_FUTURE = datetime(2095, 1, 1, tzinfo=UTC)

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class Identity:
    """A leaf certificate and its private key, in files and, the certificate, in memory."""

    certificate: Path
    private_key: Path
    pem: str
    der: bytes


@functools.cache
def rsa_key(owner: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key for each owner and run, as making keys is what takes time."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


class Authority:
    """A self-signed certification authority; two of the same name are different authorities if `owner` differs."""

    def __init__(self, name: str = "Test CA", *, owner: str | None = None) -> None:
        self._name = _name(name)
        self._key = rsa_key(owner or name)
        self._certificate = _build(self._name, self._key, self._name, self._key, is_authority=True)
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    @classmethod
    def read(cls, certificate: Path, private_key: Path) -> Self:
        """An authority that exists already, from its files in PEM."""
        authority = cls.__new__(cls)
        authority.pem = certificate.read_text()
        authority._certificate = x509.load_pem_x509_certificate(certificate.read_bytes())
        authority._name = authority._certificate.subject
        key = serialization.load_pem_private_key(private_key.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        authority._key = key
        return authority

    def issue(
        self,
        folder: Path,
        name: str = "lender.example",
        *,
        usages: tuple[x509.ObjectIdentifier, ...] = (CLIENT, SERVER),
        can_sign: bool = True,
        is_authority: bool = False,
        not_before: datetime = LONG_PAST,
        not_after: datetime = FAR_FUTURE,
        key: rsa.RSAPrivateKey | None = None,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
    ) -> Identity:
        """A leaf for these hosts, written to `folder`; right unless an argument says otherwise."""
        key = key or rsa_key("leaf")
        certificate = _build(
            _name(name),
            key,
            self._name,
            self._key,
            usages=usages,
            can_sign=can_sign,
            is_authority=is_authority,
            period=(not_before, not_after),
            hosts=hosts,
        )
        return write_identity(folder, name, certificate, key)


def self_signed(folder: Path, name: str = "lender.example", *, is_authority: bool = False) -> Identity:
    """A leaf that is its own issuer."""
    key = rsa_key("leaf")
    certificate = _build(_name(name), key, _name(name), key, usages=(CLIENT, SERVER), is_authority=is_authority)
    return write_identity(folder, name, certificate, key)


def write_identity(folder: Path, name: str, certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> Identity:
    """Write NAME.pem and NAME.key into `folder`."""
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    folder.mkdir(parents=True, exist_ok=True)
    identity = Identity(
        certificate=folder / f"{name}.pem",
        private_key=folder / f"{name}.key",
        pem=pem.decode(),
        der=certificate.public_bytes(serialization.Encoding.DER),
    )
    identity.certificate.write_bytes(pem)
    identity.private_key.write_bytes(private_pem(key))
    return identity


def private_pem(key: rsa.RSAPrivateKey, password: bytes | None = None) -> bytes:
    """A private key as PKCS 8, encrypted if there is a password."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption(),
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _build(
    subject: x509.Name,
    key: rsa.RSAPrivateKey,
    issuer: x509.Name,
    issuer_key: rsa.RSAPrivateKey,
    *,
    usages: tuple[x509.ObjectIdentifier, ...] = (),
    can_sign: bool = True,
    is_authority: bool = False,
    period: tuple[datetime, datetime] = (LONG_PAST, FAR_FUTURE),
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(period[0])
        .not_valid_after(period[1])
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(_key_usage(can_sign=can_sign, is_authority=is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if usages:
        names = [_general_name(host) for host in hosts]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, can_sign: bool, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=can_sign,
        key_encipherment=True,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
