"""The TLS extension of ASGI: what an application is told of the TLS connection under a request."""

import ssl
from typing import Any

from shared.transport.tls import PeerCertificate

TLS_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


def tls_extension(connection: ssl.SSLObject, peer: PeerCertificate | None) -> dict[str, Any]:
    """The extension for a connection, over which the peer has shown that certificate, or none."""
    return {
        "server_cert": None,
        "client_cert_chain": [] if peer is None else [ssl.DER_cert_to_PEM_cert(peer.der)],
        "client_cert_name": None if peer is None else peer.subject,
        "client_cert_error": None,
        "tls_version": TLS_VERSIONS.get(connection.version() or ""),
        "cipher_suite": _cipher_suite(connection),
    }


def _cipher_suite(connection: ssl.SSLObject) -> int | None:
    """The suite's number in the IANA registry, which is the lower half of OpenSSL's own."""
    name = (connection.cipher() or ("", "", 0))[0]
    ids = (suite["id"] & 0xFFFF for suite in connection.context.get_ciphers() if suite["name"] == name)
    return next(ids, None)
