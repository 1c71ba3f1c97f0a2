"""TLS certificates of the onboarding form: only those are taken that will pass in a handshake (RFC 5280, RFC 9525).

One certificate may be for serving and calling, or there is one for each: public authorities issue none for both.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from shared.node.onboarding.fields import FieldError, holds_private_key
from shared.node.onboarding.record import MOST_CERTIFICATES, leaf_of, usable_leaf
from shared.protocol.signing import MINIMUM_BITS

_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm)


class CertificateUse(StrEnum):
    """What a TLS certificate is for (RFC 5280 s4.2.1.12, serverAuth and clientAuth)."""

    SERVING = "serving"
    CALLING = "calling"


EXTENDED_USAGES: Final = {
    CertificateUse.SERVING: ExtendedKeyUsageOID.SERVER_AUTH,
    CertificateUse.CALLING: ExtendedKeyUsageOID.CLIENT_AUTH,
}
_USAGE_NAMES: Final = {CertificateUse.SERVING: "serverAuth", CertificateUse.CALLING: "clientAuth"}


def uses_of(leaf: x509.Certificate) -> list[CertificateUse]:
    """Return what a certificate is made for: all, where it names no use; none, where it cannot be read in full."""
    try:
        named = _extension(leaf, x509.ExtendedKeyUsage)
    except _UNREADABLE:
        return []
    return [use for use, usage in EXTENDED_USAGES.items() if named is None or usage in named]


def absent_uses(pems: Iterable[str]) -> list[CertificateUse]:
    """Return the uses that none of these certificates is made for; all can be read."""
    made_for = {use for pem in pems for use in uses_of(leaf_of(pem))}
    return [use for use in CertificateUse if use not in made_for]


def checked_pair(serving: str, calling: str, base_url: str, now: datetime, errors: list[FieldError]) -> list[str]:
    """Return the leaves in PEM of the certificate to serve with and, if another is given, of the one to call with."""
    pems = [checked_certificate(serving, base_url, now, errors, use=CertificateUse.SERVING)]
    if calling.strip():
        field, use = "tls_client_certificate", CertificateUse.CALLING
        pems.append(checked_certificate(calling, "", now, errors, field=field, use=use))
    elif pems[0] and absent_uses(pems) == [CertificateUse.CALLING]:
        hint = "give another with clientAuth as tls_client_certificate"
        errors.append(FieldError("tls_certificate", "not made for calling", hint))
    return list(dict.fromkeys(pems))


def checked_certificates(texts: Sequence[str], base_url: str, now: datetime, errors: list[FieldError]) -> list[str]:
    """Return the leaves in PEM of all certificates of a participant, some of which serve, and some of which call."""
    if not 1 <= len(texts) <= MOST_CERTIFICATES:
        found = f"{len(texts)} certificates" if texts else "none"
        errors.append(FieldError("tls_certificates", found, f"give 1 to {MOST_CERTIFICATES}, each in PEM"))
    pems = [checked_certificate(text, base_url, now, errors) for text in texts[:MOST_CERTIFICATES]]
    for use in absent_uses(pems) if pems and all(pems) else ():
        hint = f"add one with {_USAGE_NAMES[use]}, or have it issued with serverAuth and clientAuth"
        errors.append(FieldError("tls_certificates", f"none is made for {use}", hint))
    return list(dict.fromkeys(pems))


def checked_certificate(
    text: str,
    base_url: str,
    now: datetime,
    errors: list[FieldError],
    *,
    field: str = "tls_certificate",
    use: CertificateUse | None = None,
) -> str:
    """Return the leaf in PEM of a TLS certificate that will pass in a handshake, in this use or in either."""
    if holds_private_key(text):
        found = "a private key"
        errors.append(FieldError(field, found, "keep it secret, give it to nobody; give the certificate"))
        return ""
    try:
        leaf = usable_leaf(text)
        faults = list(certificate_faults(leaf, base_url, now, use))
    except _UNREADABLE:
        found = "no certificate in PEM that can be read" if text.strip() else "empty"
        errors.append(FieldError(field, found, "paste it whole, with the BEGIN and END lines"))
        return ""
    errors.extend(FieldError(field, *fault) for fault in faults)
    return leaf.public_bytes(Encoding.PEM).decode()


def certificate_faults(
    leaf: x509.Certificate, base_url: str, now: datetime, use: CertificateUse | None = None
) -> Iterator[tuple[str, str]]:
    """Tell why a certificate would be refused in a handshake: each time what was found, and what to do.

    `base_url` is where its holder serves, which one for serving has to name; `now` is aware. Without `use` it may be
    for either.

    Raises:
        ValueError, DuplicateExtension, UnsupportedGeneralNameType, UnsupportedAlgorithm: it cannot be read in full.
    """
    key, host, uses = leaf.public_key(), urlsplit(base_url).hostname or "", uses_of(leaf)
    wanted = [use] if use else list(CertificateUse)
    if leaf.not_valid_after_utc <= now:
        yield f"expired on {leaf.not_valid_after_utc:%Y-%m-%d}", "renew it and give the new one"
    if leaf.not_valid_before_utc > now:
        yield f"not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC", "give it then, or look at your clock"
    if isinstance(leaf.signature_hash_algorithm, SHA1 | MD5):
        yield f"signed with {leaf.signature_hash_algorithm.name.upper()}", "have it issued with SHA-256"
    if isinstance(key, RSAPublicKey) and key.key_size < MINIMUM_BITS:
        yield f"an RSA key of {key.key_size} bits", f"make one of {MINIMUM_BITS} bits or more"
    if _is_authority(leaf):
        hint = "give the leaf; for openssl req -x509 add -addext basicConstraints=critical,CA:FALSE"
        yield "an issuer's certificate (CA:TRUE)", hint
    if not any(wanted_use in uses for wanted_use in wanted):
        hint = f"have it issued with {' or '.join(_USAGE_NAMES[wanted_use] for wanted_use in wanted)}"
        yield f"not made for {' or '.join(wanted)}", hint
    if (usage := _extension(leaf, x509.KeyUsage)) is not None and not usage.digital_signature:
        yield "not made for signing (digitalSignature)", "have it issued with that key usage"
    if host and CertificateUse.SERVING in ([use] if use else uses) and not _names(leaf, host):
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
    """Tell whether a certificate is for serving at the host of a base URL (RFC 9525 s6.3)."""
    return CertificateUse.SERVING in uses_of(leaf) and _names(leaf, urlsplit(base_url).hostname or "")


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
