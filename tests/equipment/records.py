"""Participants as they are written down, with real keys and certificates."""

import functools
import tempfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.node.onboarding.record import ParticipantRecord
from tests.node.certificates import Identity, rsa_key, self_signed


@functools.cache
def tls_identity(name: str) -> Identity:
    """A certificate of that name; its files are gone."""
    with tempfile.TemporaryDirectory() as folder:
        return self_signed(Path(folder), name)


def public_pem(owner: str, *bits: int) -> str:
    """The public half of that owner's key."""
    return rsa_key(owner, *bits).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_of(owner: str, kid: str = "", **changes: Any) -> dict[str, Any]:
    """A key in the form of a participants file."""
    return {"kid": kid or f"{owner}-kid", "algorithm": "RS512", "status": "ACTIVE", "pem": public_pem(owner)} | changes


def lender_entry(**changes: Any) -> dict[str, Any]:
    """A lender in the form of a participants file."""
    return {
        "organisation_id": "LENDER01",
        "name": "Sandbox Lender",
        "role": "LENDER",
        "base_url": "https://lender.example/base/",
        "tls_certificates": [tls_identity("lender.example").pem],
        "keys": [key_of("LENDER01")],
        "ip_addresses": ["192.0.2.7", "2001:db8::/32"],
        "envelope_member": "protected",
    } | changes


def lsp_entry(**changes: Any) -> dict[str, Any]:
    """An LSP in the form of a participants file."""
    return {
        "organisation_id": "LSP123",
        "name": "Sandbox LSP",
        "role": "LOAN_AGENT",
        "base_url": "https://lsp.example",
        "tls_certificates": [tls_identity("lsp.example").pem],
        "keys": [key_of("lsp backup", status="BACKUP"), key_of("lsp")],
    } | changes


def lender_record(**changes: Any) -> ParticipantRecord:
    """The lender, validated."""
    return ParticipantRecord.model_validate(lender_entry(**changes))


def lsp_record(**changes: Any) -> ParticipantRecord:
    """The LSP, validated."""
    return ParticipantRecord.model_validate(lsp_entry(**changes))
