"""Keystore and truststore as Java reads them: PKCS#12 (RFC 7292), made in memory."""

from collections.abc import Mapping

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12


def keystore(
    alias: str, key: rsa.RSAPrivateKey, certificate: x509.Certificate, issuer: x509.Certificate, password: str
) -> bytes:
    """Return a keystore with one private key and its certificate chain; `password` opens store and key alike."""
    encryption = BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(alias.encode(), key, certificate, [issuer], encryption)


def truststore(trusted: Mapping[str, x509.Certificate], password: str) -> bytes:
    """Return a truststore of certificates by their aliases, each marked as Java wants a trusted one marked."""
    certificates = [pkcs12.PKCS12Certificate(one, alias.encode()) for alias, one in trusted.items()]
    return pkcs12.serialize_java_truststore(certificates, BestAvailableEncryption(password.encode()))
