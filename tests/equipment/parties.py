"""An LSP and a lender who know each other, and a stranger's key. Four RSA keys serve all tests of a run."""

import functools
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from shared.catalogue.table import example_of, find_message, get_message
from shared.node.identity import Identity
from shared.protocol.encoding import format_timestamp
from shared.protocol.messages import Role
from shared.protocol.participants import EnvelopeMember, KeyStatus, Participant, PublicKey
from shared.protocol.signing import SigningKey, load_private_key
from shared.protocol.tampering import GoodMessage, OtherMessage, OtherParticipant
from shared.transport.tls import thumbprint
from tests.equipment.clock import NOW
from tests.node.certificates import private_pem, rsa_key

LSP = "LSP123"
LENDER = "LENDER01"

LSP_CERTIFICATE = b"the certificate of the LSP in DER"
LENDER_CERTIFICATE = b"the certificate of the lender in DER"
STRANGER_CERTIFICATE = b"a certificate that nobody has registered"

LISTED_ADDRESS = "192.0.2.7"
UNLISTED_ADDRESS = "192.0.3.7"


@functools.cache
def signing_key(owner: str, kid: str = "") -> SigningKey:
    return load_private_key(private_pem(rsa_key(owner)).decode(), kid or f"{owner}-kid", "RS512")


def lsp_key() -> SigningKey:
    return signing_key("lsp")


def lsp_backup_key() -> SigningKey:
    return signing_key("lsp backup")


def lender_key() -> SigningKey:
    return signing_key("LENDER01")


def stranger_key() -> SigningKey:
    """A key that nobody has registered."""
    return signing_key("leaf", "stranger-kid")


def lsp_blocked_key() -> SigningKey:
    """The stranger's numbers under a kid of the LSP's."""
    return signing_key("leaf", "lsp-blocked-kid")


def lsp(**changes: Any) -> Participant:
    """The LSP as its counterparties know it."""
    known = Participant(
        id=LSP,
        name="Sandbox LSP",
        role=Role.LOAN_AGENT,
        base_url="https://lsp.example",
        certificates=frozenset({thumbprint(LSP_CERTIFICATE)}),
        keys=(
            PublicKey(lsp_key().kid, lsp_key().public()),
            PublicKey(lsp_backup_key().kid, lsp_backup_key().public(), KeyStatus.BACKUP),
            PublicKey(lsp_blocked_key().kid, lsp_blocked_key().public(), KeyStatus.BLOCKED),
        ),
        networks=(ip_network("192.0.2.0/24"),),
    )
    return replace(known, **changes)


def lender(**changes: Any) -> Participant:
    """The lender as its counterparties know it."""
    known = Participant(
        id=LENDER,
        name="Sandbox Lender",
        role=Role.LENDER,
        base_url="https://lender.example/base",
        certificates=frozenset({thumbprint(LENDER_CERTIFICATE)}),
        keys=(PublicKey(lender_key().kid, lender_key().public()),),
    )
    return replace(known, **changes)


def identity_of(participant: Participant, key: SigningKey) -> Identity:
    """The participant as it knows itself; its files are not there."""
    nowhere = Path("/nonexistent")
    return Identity(participant.id, participant.role, key, (), nowhere, nowhere, "")


def payload_of(name: str, request_id: str = "request-1", **metadata: str) -> dict[str, Any]:
    """A payload of that message, sent by the LSP now."""
    stamp = {"version": "1.0", "timestamp": format_timestamp(NOW), "traceId": "trace-1", "orgId": LSP}
    return {**example_of(find_message(name)), "metadata": {**stamp, **metadata}, "requestId": request_id}


def good_message(member: EnvelopeMember = EnvelopeMember.HEADER) -> GoodMessage:
    """A TriggerLoanAcceptanceRequest of the LSP, which the lender accepts, and what a forger could have at hand."""
    return GoodMessage(
        path=get_message("v3", "TriggerLoanAcceptanceRequest").path,
        document=payload_of("TriggerLoanAcceptanceRequest"),
        key=lsp_key(),
        backup_key=lsp_backup_key(),
        blocked_key=lsp_blocked_key(),
        unknown_key=stranger_key(),
        other=OtherParticipant(LENDER, thumbprint(LENDER_CERTIFICATE), lender_key()),
        elsewhere=OtherMessage(
            get_message("v3", "VerifyLoanAcceptanceRequest").path, payload_of("VerifyLoanAcceptanceRequest")
        ),
        now=NOW,
        member=member,
    )
