"""TLS certificates of the onboarding form: only those are taken that will pass in a handshake (RFC 5280, RFC 9525)."""

from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from shared.node.onboarding.fields import Flaw, holds_private_key
from shared.node.onboarding.record import usable_leaf
from shared.protocol.signing import MINIMUM_BITS

_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm)


def checked_certificate(text: str, base_url: str, now: datetime, flaws: list[Flaw]) -> str:
    """Return the leaf in PEM of a TLS certificate that will pass in a handshake, as server and as client."""
    if holds_private_key(text):
        found = "a private key"
        flaws.append(Flaw("tls_certificate", found, "keep it secret, give it to nobody; give the certificate"))
        return ""
    try:
        leaf = usable_leaf(text)
        faults = list(certificate_faults(leaf, base_url, now))
    except _UNREADABLE:
        found = "no certificate in PEM that can be read" if text.strip() else "empty"
        flaws.append(Flaw("tls_certificate", found, "paste it whole, with the BEGIN and END lines"))
        return ""
    flaws.extend(Flaw("tls_certificate", *fault) for fault in faults)
    return leaf.public_bytes(Encoding.PEM).decode()


def certificate_faults(leaf: x509.Certificate, base_url: str, now: datetime) -> Iterator[tuple[str, str]]:
    """Tell why a certificate would be refused in a handshake: each time what was found, and what to do.

    `base_url` is where its holder serves; `now` is aware.

    Raises:
        ValueError, DuplicateExtension, UnsupportedGeneralNameType, UnsupportedAlgorithm: it cannot be read in full.
    """
    key, host = leaf.public_key(), urlsplit(base_url).hostname or ""
    if leaf.not_valid_after_utc <= now:
        yield f"expired on {leaf.not_valid_after_utc:%Y-%m-%d}", "renew it and give the new one"
    if leaf.not_valid_before_utc > now:
        yield f"not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC", "give it then, or look at your clock"
    if isinstance(leaf.signature_hash_algorithm, SHA1 | MD5):
        yield f"signed with {leaf.signature_hash_algorithm.name.upper()}", "have it issued with SHA-256"
    if isinstance(key, RSAPublicKey) and key.key_size < MINIMUM_BITS:
        yield f"an RSA key of {key.key_size} bits", f"make one of {MINIMUM_BITS} bits or more"
    if _is_authority(leaf):
        mend = "give the leaf; for openssl req -x509 add -addext basicConstraints=critical,CA:FALSE"
        yield "an issuer's certificate (CA:TRUE)", mend
    if absent := _absent_usage(leaf):
        yield f"not made for {absent}", "it serves and calls: have it issued with serverAuth and clientAuth"
    if host and not _names(leaf, host):
        yield f"does not name {host}, the host of base_url", "have it issued with that subjectAltName"


def seems_to_issue(one: x509.Certificate, other: x509.Certificate) -> bool:
    """Tell whether a certificate bears the name of another's issuer.

    OpenSSL looks for an issuer by its name, among all that are trusted, and does not look on where the signature is
    another's (RFC 5280 s6.1 begins with a path that is known). So the other would be refused in every handshake. Names
    are compared as OpenSSL does (RFC 5280 s7.1).
    """
    issuer = folded_name(other.issuer)
    return folded_name(one.subject) == issuer != folded_name(other.subject)


def folded_name(name: x509.Name) -> tuple[tuple[str, str], ...]:
    """Return a name in the form in which two that OpenSSL takes for the same are equal (RFC 5280 s7.1)."""
    return tuple((part.oid.dotted_string, " ".join(str(part.value).lower().split())) for part in name)


def _is_authority(leaf: x509.Certificate) -> bool:
    constraints = _extension(leaf, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def names_host(leaf: x509.Certificate, base_url: str) -> bool:
    """Tell whether a certificate names the host of a base URL, so that a client lets it serve there (RFC 9525 s6.3)."""
    return _names(leaf, urlsplit(base_url).hostname or "")


def _absent_usage(leaf: x509.Certificate) -> str:
    extended, plain = _extension(leaf, x509.ExtendedKeyUsage), _extension(leaf, x509.KeyUsage)
    wanted = {"serving": ExtendedKeyUsageOID.SERVER_AUTH, "calling": ExtendedKeyUsageOID.CLIENT_AUTH}
    absent = [use for use, oid in wanted.items() if extended is not None and oid not in extended]
    if plain is not None and not plain.digital_signature:
        absent.append("signing (digitalSignature)")
    return " and ".join(absent)


def _names(leaf: x509.Certificate, host: str) -> bool:
    names = _extension(leaf, x509.SubjectAlternativeName)
    if names is None:
        return False
    try:
        return ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        listed = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    parent = host.partition(".")[2]
    # OpenSSL takes a wildcard for one label only, and not directly below a top-level domain (RFC 9525 s6.3).
    return host in listed or ("." in parent and f"*.{parent}" in listed)


def _extension(leaf: x509.Certificate, kind: type[Any]) -> Any:
    try:
        return leaf.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
