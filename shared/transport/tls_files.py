"""The TLS files of a node: a certificate and the private key that belongs to it, read and checked by us.

OpenSSL would name neither of the two files in what it says, and ask the terminal for a password.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class CertificateFiles(NamedTuple):
    """PEM files of one certificate, the leaf first, and of the private key that belongs to it."""

    certificate: Path
    private_key: Path


class TlsConfigurationError(Exception):
    """A certificate, a private key or the trusted certificates cannot be used; the text says which, and what to do."""


def checked_leaf(certificate: Path, private_key: Path) -> x509.Certificate:
    """Return the leaf of two files that belong together.

    Raises:
        TlsConfigurationError: one cannot be used.
    """
    try:
        leaf = x509.load_pem_x509_certificate(_content(certificate))
    except ValueError as error:
        said = f"{certificate} holds no readable certificate: put the certificate there as PEM, the leaf first"
        raise TlsConfigurationError(said) from error
    try:
        key = _read_key(_content(private_key))
    except TypeError as error:
        hint = "decrypt it with `openssl pkey` and keep the file readable to this user only"
        raise TlsConfigurationError(f"{private_key} is encrypted: {hint}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "put the unencrypted key there as PEM"
        raise TlsConfigurationError(f"{private_key} holds no readable private key: {hint}") from error
    if key.public_key() != leaf.public_key():
        said = f"{private_key} is not the key of {certificate}: name the key that the certificate was requested with"
        raise TlsConfigurationError(said)
    return leaf


@lru_cache(maxsize=4)
def _read_key(pem: bytes) -> PrivateKeyTypes:
    """Read a private key once: OpenSSL checks an RSA key each time, for some 60 ms."""
    return load_pem_private_key(pem, password=None)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        said = f"{file} cannot be read ({error.strerror}): name a PEM file that this user may read"
        raise TlsConfigurationError(said) from error
