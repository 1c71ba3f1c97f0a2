"""Verified messages of OCEN 4.0, made by the profile itself from signed bodies with a token of the Auth Service."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.catalogue.table import example_of, find_message, get_message
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.messages import Role
from shared.protocol.participants import Dialect, Participant, PublicKey
from shared.protocol.phases import KnownSender, Peer, VerifiedMessage, WireMessage
from shared.protocol.profiles import V4, Originator
from shared.protocol.signing import SigningKey
from shared.protocol.tokens import TOKEN_ALGORITHM, Issuer
from shared.transport.tls import thumbprint
from tests.equipment.clock import NOW
from tests.equipment.parties import LENDER_CERTIFICATE, LSP_CERTIFICATE, lender, lender_key, lsp, lsp_key, stranger_key
from tests.equipment.verifying import Known, verify_at_once

AGENT, LENDER_ID = "7034", "7021"
"""The participant ids of the LSP and of the lender in OCEN 4.0."""

CREATE = get_message("v4", "CreateLoanApplicationsRequest")
CREATED = get_message("v4", "CreateLoanApplicationsResponse")
TRIGGER_V4 = get_message("v4", "TriggerLoanAcceptanceRequest")
VERIFY_V4 = get_message("v4", "VerifyLoanAcceptanceRequest")


def loan_agent(participant_id: str = AGENT) -> Participant:
    """The LSP as the registry knows it."""
    return _registered(lsp(), participant_id, lsp_key(), LSP_CERTIFICATE)


def registered_lender() -> Participant:
    """The lender as the registry knows it."""
    return _registered(lender(), LENDER_ID, lender_key(), LENDER_CERTIFICATE)


def verified_v4(
    key: str, request_id: str = "request-1", trace_id: str = "trace-1", now: datetime = NOW, **changes: Any
) -> VerifiedMessage:
    """The example of that message, with these members changed, as the LSP or the lender sends it at `now`."""
    is_lender = Role.LENDER in find_message(key).senders
    sender = registered_lender() if is_lender else changes.pop("sender", loan_agent())
    signing_key = lender_key() if is_lender else lsp_key()
    originator = Originator(sender.id, sender.organisation_id)
    body = V4.stamp({**example_of(find_message(key)), **changes}, originator, request_id, trace_id, now)
    return _judged(key, body, sender, signing_key.bound_to(V4.algorithm), now)


def _judged(key: str, body: bytes, sender: Participant, signing_key: SigningKey, now: datetime) -> VerifiedMessage:
    message_type = find_message(key)
    signed = V4.sign(body, signing_key, Dialect.STRICT)
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {_token(sender.id, now)}",
        **signed.headers,
    }
    wire = WireMessage("POST", message_type.path, headers, body, Peer(min(sender.certificates), "192.0.2.7"))
    own_id = AGENT if sender.id == LENDER_ID else LENDER_ID
    product = json.loads(body)["productData"].values()
    networks = {str(network): frozenset({sender.id, own_id}) for network in product}
    issuer = Issuer("https://auth.example", {_auth_key().kid: _auth_key().public()})
    known = Known(KnownSender(sender, networks=networks), issuer)
    message = verify_at_once(V4, V4.opened(wire, message_type, now, own_id=own_id), known)
    assert isinstance(message, VerifiedMessage), message
    return message


def _registered(known: Participant, participant_id: str, key: SigningKey, certificate: bytes) -> Participant:
    return replace(
        known,
        id=participant_id,
        organisation_id=known.id,
        certificates=frozenset({thumbprint(certificate)}),
        keys=(PublicKey(key.kid, key.bound_to(V4.algorithm).public()),),
    )


def _auth_key() -> SigningKey:
    return stranger_key().bound_to(TOKEN_ALGORITHM)


def _token(participant_id: str, now: datetime) -> str:
    seconds = int(now.timestamp())
    claims: Mapping[str, Any] = {
        "iss": "https://auth.example",
        "sub": participant_id,
        "participantId": participant_id,
        "iat": seconds,
        "exp": seconds + 3600,
    }
    head = {"alg": TOKEN_ALGORITHM, "kid": _auth_key().kid, "typ": "JWT"}
    signing_input = ".".join(base64url_encode(dump_json(part)) for part in (head, claims))
    return f"{signing_input}.{base64url_encode(_auth_key().sign(signing_input.encode()))}"
