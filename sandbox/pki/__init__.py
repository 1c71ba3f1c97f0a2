"""The sandbox's keys and certificates: one authority, and for each organisation a TLS certificate and two signing keys.

    ca.pem, ca.key                         the authority
    participants.json                      the directory that all sides load: public material only
    <organisation>/identity.json           what a node loads to know itself
    <organisation>/tls.pem, tls.key        TLS certificate, for serving and calling alike, and its key
    <organisation>/tls.next.pem, .key      a renewed one that waits until counterparties know it
    <organisation>/signing.key, .pub.pem   the JWS key in use
    <organisation>/backup.key, .pub.pem    the second key, for rotation (seed 002, Onboarding Process)

What exists is kept and what is missing is made; a key is never written over. Meant for one process at a time.
"""

from sandbox.pki.certificates import Authority, PkiError, leaf_certificate, public_pem
from sandbox.pki.folder import (
    DEFAULT_FOLDER,
    REGISTRY_FOLDER,
    SANDBOX_PAIR,
    initialise,
    issue,
    load_authority,
    registry_leaf,
)
from sandbox.pki.organisation import LOOPBACK, Organisation, contact_of, kept_or_new_key, own_form
from sandbox.pki.renewal import Renewal, prepare_renewal
from sandbox.pki.summary import describe

__all__ = [
    "DEFAULT_FOLDER",
    "LOOPBACK",
    "REGISTRY_FOLDER",
    "SANDBOX_PAIR",
    "Authority",
    "Organisation",
    "PkiError",
    "Renewal",
    "contact_of",
    "describe",
    "initialise",
    "issue",
    "kept_or_new_key",
    "leaf_certificate",
    "load_authority",
    "own_form",
    "prepare_renewal",
    "public_pem",
    "registry_leaf",
]
