"""TLS between participants: what is refused, by whom, and how trust changes while the node runs.

Both ends show a certificate and verify the other's (OCEN v3 Security, Security, two-way TLS). A handshake fails when

==========================================================  =====================================================
the peer                                                    who refuses
==========================================================  =====================================================
shows no certificate (but where none is demanded), or one   OpenSSL, `CERT_REQUIRED` (RFC 5280 s6.1)
from an unlisted issuer
shows one that is expired or not yet valid                  OpenSSL, by the machine's clock (RFC 5280 s4.1.2.5)
shows one made for another use: an extended key usage       OpenSSL, by the purpose of `PROTOCOL_TLS_SERVER` and
without clientAuth (client) or serverAuth (server), or a    `PROTOCOL_TLS_CLIENT`; a certificate that names no use
client's key usage without signing                          may be used for any (RFC 5280 s4.2.1.3, s4.2.1.12)
has a chain that breaks the RFC 5280 profile                OpenSSL, `VERIFY_X509_STRICT`
shows an issuer's certificate (CA:TRUE) as its own          `CheckedConnection`: OpenSSL lets it pass
                                                            (RFC 5280 s4.2.1.9)
shows one that was registered and has been removed          `CheckedConnection`: its issuer may still be trusted
is a server whose names do not include the one called       OpenSSL, client side; the common name does not count
                                                            (RFC 9525 s6.3)
offers only TLS 1.1 or older, only CBC, RC4 or static RSA   OpenSSL (RFC 8996, RFC 9325 s3.1.1, s4.2)
cannot exchange keys in the group P-256                     OpenSSL, by `KEY_EXCHANGE_GROUP`
has an RSA key under 2048 bits or a SHA-1 signature         OpenSSL, security level 2
==========================================================  =====================================================

Whether a certificate belongs to the participant named in a message is no question of TLS: the `thumbprint` is
compared with the registered one on every request.
"""

import hashlib
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from shared.transport.tls_files import CertificateFiles, TlsConfigurationError, checked_leaf

logger = logging.getLogger(__name__)

FORWARD_SECRET_AEAD = "@SECLEVEL=2:ECDHE+AESGCM:ECDHE+CHACHA20"

_INVALID_PURPOSE = 26
"""X509_V_ERR_INVALID_PURPOSE, by which OpenSSL says that a certificate is made for another use."""

KEY_EXCHANGE_GROUP = "prime256v1"
"""P-256, which all have (RFC 8446 s9.1). OpenSSL would offer finite-field groups too (RFC 7919), of which one handshake
occupies the event loop for 0.2 s (CVE-2002-20001, CVE-2022-40735)."""


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """The leaf certificate that a peer proved to hold; `subject` is its name in the form of RFC 4514."""

    thumbprint: str
    subject: str
    der: bytes

    @classmethod
    def read(cls, der: bytes) -> Self:
        """Read a leaf.

        Raises:
            ssl.SSLCertVerificationError: it cannot be read, or it is the certificate of an issuer.
        """
        try:
            certificate = x509.load_der_x509_certificate(der)
            subject = certificate.subject.rfc4514_string()
            is_issuer = any(
                isinstance(extension.value, x509.BasicConstraints) and extension.value.ca
                for extension in certificate.extensions
            )
        except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
            raise ssl.SSLCertVerificationError(1, f"the peer's certificate cannot be read: {error}") from error
        if is_issuer:
            raise ssl.SSLCertVerificationError(1, f"the peer's certificate ({subject}) is an issuer's, CA:TRUE")
        return cls(thumbprint=thumbprint(der), subject=subject, der=der)


def thumbprint(der: bytes) -> str:
    """SHA-256 of a certificate in DER, as lower-case hexadecimal."""
    return hashlib.sha256(der).hexdigest()


class CheckedConnection(ssl.SSLObject):
    """One TLS connection: OpenSSL's checks, then ours, and as server the reason of a refusal for log and peer."""

    outgoing: ssl.MemoryBIO | None = None
    revoked: frozenset[str] = frozenset()
    _refusal: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """Go on with the handshake; raises `ssl.SSLError` when either side refuses the other."""
        if self._refusal is not None:
            raise self._refusal
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            error.strerror = told(error)
            self._log(error)
            self._send_alert_before(error)
            raise
        der = self.getpeercert(binary_form=True)
        if der is None and self.context.verify_mode is ssl.CERT_OPTIONAL:
            return
        try:
            self._check(PeerCertificate.read(der or b""))
        except ssl.SSLError as error:
            self._log(error)
            raise

    def _check(self, peer: PeerCertificate) -> None:
        if peer.thumbprint in self.revoked:
            found = f"the peer's certificate ({peer.subject}, sha256 {peer.thumbprint[:16]}...) has been removed here"
            raise ssl.SSLCertVerificationError(1, found)

    def _log(self, error: ssl.SSLError) -> None:
        if self.server_side:
            logger.info("TLS handshake failed: %s", error)

    def _send_alert_before(self, error: ssl.SSLError) -> None:
        """Send the alert that tells the peer why (RFC 8446 s6.2); the event loops would discard it.

        They send what is written when we want to read, and come back when the peer answers, hangs up or says
        nothing until the time for the handshake is over.
        """
        if self.server_side and self.outgoing is not None and self.outgoing.pending:
            self._refusal = error
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "an alert is to be sent") from error


def told(error: ssl.SSLError) -> str:
    """Say what OpenSSL says, and the remedy where a certificate is made for the other use (RFC 5280 s4.2.1.12)."""
    if getattr(error, "verify_code", 0) == _INVALID_PURPOSE:
        return f"{error}; the peer has to show another: clientAuth is for calling, serverAuth for serving"
    if "UNSUPPORTED_CERTIFICATE" in (getattr(error, "reason", None) or ""):
        return f"{error}; our certificate is not made for this use: name one with clientAuth for calling"
    return str(error)


def server_context(
    certificate: Path, private_key: Path, trust: str, *, demands_certificate: bool = True
) -> ssl.SSLContext:
    """A context that listens with our certificate and demands one that `trust` vouches for.

    Args:
        certificate: PEM file of our leaf, followed by its intermediate certificates if there are any.
        private_key: PEM file of the leaf's key, not encrypted.
        trust: PEM text of every certificate relied on: issuers, or leaves themselves. Empty: nobody is trusted.
        demands_certificate: whether a peer has to show one; one that is shown is verified in any case.

    Raises:
        TlsConfigurationError: one of the three cannot be used.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, certificate, private_key, trust)
    context.num_tickets = 0
    if not demands_certificate:
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(certificate: Path, private_key: Path, trust: str) -> ssl.SSLContext:
    """A context that calls with our certificate and checks the server's issuer and name; see `server_context`."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, certificate, private_key, trust)
    context.check_hostname = True
    context.hostname_checks_common_name = False
    return context


def _context(protocol: int, certificate: Path, private_key: Path, trust: str) -> ssl.SSLContext:
    checked_leaf(certificate, private_key)
    context = ssl.SSLContext(protocol)
    context.sslobject_class = CheckedConnection
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(FORWARD_SECRET_AEAD)
    context.set_ecdh_curve(KEY_EXCHANGE_GROUP)  # for TLS 1.3 as well: OpenSSL takes it as the only group
    context.set_alpn_protocols(["http/1.1"])
    context.verify_mode = ssl.CERT_REQUIRED
    # PARTIAL_CHAIN: what is listed is trusted, also an intermediate or a leaf whose root nobody sent us.
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    # A resumed session is not verified again, so it would outlive the trust it began with.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, private_key)
    except ssl.SSLError as error:
        raise TlsConfigurationError(f"{certificate} cannot be used: {error.reason}; make a new one") from error
    _load_trust(context, trust)
    return context


def _load_trust(context: ssl.SSLContext, trust: str) -> None:
    if not trust.strip():
        return
    try:
        context.load_verify_locations(cadata=trust)
    except (ssl.SSLError, ValueError, TypeError) as error:  # TypeError: the text is not ASCII
        message = "the trusted certificates are not all PEM: remove or repair the one that does not open"
        raise TlsConfigurationError(f"{message} ({error})") from error


def check_trust(trust: str) -> None:
    """Make sure that OpenSSL takes certificates into its trust: one that it cannot read would keep out all others.

    Raises:
        TlsConfigurationError: it does not. It reads names at once that other libraries read when they are asked for.
    """
    _load_trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), trust)


class LiveContext(ssl.SSLContext):
    """A context to be handed out once, which makes each new connection from whatever context is `current`.

    The usual way, exchanging contexts in `sni_callback`, comes too late: OpenSSL has by then resumed a TLS 1.2
    session by its id, unverified, from a cache that no option turns off. Here the cache goes with its context.

    `asyncio` and `uvloop` ask for `wrap_bio`. A caller of `wrap_socket` gets a context that trusts nobody.
    """

    current: ssl.SSLContext
    revoked: frozenset[str] = frozenset()

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """See `ssl.SSLContext.wrap_bio`."""
        connection = self.current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        if isinstance(connection, CheckedConnection):
            connection.outgoing, connection.revoked = outgoing, self.revoked
        return connection


class TlsTrust:
    """Our certificates and the certificates we trust, for the `server` and the `client` of one node.

    Both contexts stay the same objects for the life of the node; `replace` acts on the connections made after it.
    `shown` and `shown_calling` are the thumbprints of the certificates that they show, which may be one and the same.
    """

    def __init__(
        self,
        certificate: Path,
        private_key: Path,
        trust: str,
        *,
        calling: CertificateFiles | None = None,
        demands_certificate: bool = True,
    ) -> None:
        """Serve with a certificate, and call with it too, or with that of `calling`.

        `demands_certificate` tells whether callers have to show a certificate; see `server_context`.
        """
        self.server = LiveContext(ssl.PROTOCOL_TLS_SERVER)
        self.client = LiveContext(ssl.PROTOCOL_TLS_CLIENT)
        self._serving = CertificateFiles(certificate, private_key)
        self._calling = calling or self._serving
        self._demands_certificate = demands_certificate
        self.replace(trust)

    def replace(self, trust: str, revoked: frozenset[str] = frozenset()) -> None:
        """Trust exactly these certificates from now on (PEM text), and read our own files again.

        Certificates whose thumbprints are `revoked` are refused, whoever vouches for them.

        Raises:
            TlsConfigurationError: what was in force stays in force, but for what is revoked.
        """
        for live in (self.server, self.client):
            live.revoked = revoked  # before all else: between the two no connection sees less, and nothing holds it up
        shown, shown_calling = (
            thumbprint(checked_leaf(*files).public_bytes(Encoding.DER)) for files in (self._serving, self._calling)
        )
        server = server_context(*self._serving, trust, demands_certificate=self._demands_certificate)
        client = client_context(*self._calling, trust)
        for live, context in ((self.server, server), (self.client, client)):
            live.current = context
        self.shown, self.shown_calling = shown, shown_calling
