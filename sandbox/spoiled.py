"""A message that was changed after it was signed, sent as an attacker inside the LSP would: what the lender says to it.

Certificate, connection, kid and shape are all in order; nothing but the signature can tell.
"""

import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from sandbox.caller import Caller
from sandbox.demo import Change, Script
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.ops_client import OpsClient
from sandbox.running import Run
from sandbox.settings import NodeName
from shared.clock import Clock
from shared.node.identity import Identity, load_identity
from shared.node.ids import new_id
from shared.node.onboarding.record import participant_of, read_records
from shared.protocol.encoding import base64url_encode
from shared.protocol.participants import Participant
from shared.protocol.profiles import V3, Originator
from shared.transport.tls import client_context


@dataclass(frozen=True, slots=True)
class Insider:
    """What somebody inside an organisation has: its keys and certificate, and in OCEN 4.0 its token in the headers."""

    identity: Identity
    originator: Originator
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def tls_context(self) -> ssl.SSLContext:
        """Return what shows its certificate. Raises TlsConfigurationError if its files cannot be used."""
        return client_context(self.identity.tls_certificate, self.identity.tls_private_key, self.identity.trust)


@dataclass(frozen=True, slots=True)
class SpoiledOutcome:
    """What came of it.

    Attributes:
        message: the key of the message; `change` is what was changed in it.
        ack: the payload of the signed refusal; `ack_checks` are what the sender's side found in it.
        checks: what the lender found in the message; empty if its journal has no record of it.
        accepted: whether the lender accepted it after all.
    """

    message: str
    change: Change
    request_id: str
    sender: str
    receiver: str
    status: int
    ack: Record
    ack_checks: tuple[Record, ...]
    checks: tuple[Record, ...]
    accepted: bool

    @property
    def is_right(self) -> bool:
        """Whether it was refused for the right reason, by an ack that holds itself, and without effect."""
        failed = next((step["check"] for step in self.checks if step["outcome"] == "failed"), None)
        ack_holds = all(step["outcome"] == "passed" for step in self.ack_checks)
        return failed == "signature_verifies" and ack_holds and not self.accepted


def lsp_and_lender_of(run: Run) -> tuple[Insider, Participant]:
    """Return who spoils a message of OCEN v3, and who gets it, by the files of a run.

    The lender is at its address: in the file another pair of the same keys may have written its own.

    Raises IdentityError, OnboardingError if the files cannot be used.
    """
    identity = load_identity(run.certs / run.nodes[NodeName.LSP].organisation_id / "identity.json")
    lender = run.nodes[NodeName.LENDER]
    records = read_records(run.certs / "participants.json")
    listed = participant_of(next(record for record in records if record.organisation_id == lender.organisation_id))
    return Insider(identity, identity.originators[V3.name]), replace(listed, base_url=lender.url)


def send_spoiled(
    script: Script, lsp: Insider, receiver: Participant, content: Mapping[str, Any], *, lender: OpsClient, clock: Clock
) -> SpoiledOutcome:
    """Sign a message as the LSP, change what it says, and send it over mTLS with the LSP's certificate.

    Raises SandboxError if the lender does not answer; TlsConfigurationError if the files of the LSP cannot be used.
    """
    profile, change, request_id, trace_id = script.profile, script.change, new_id(), new_id()
    message, key = script.message(script.spoiled), lsp.identity.key_for(profile.algorithm)
    payload = profile.stamp(content, lsp.originator, request_id, trace_id, clock.now())
    changed = payload.replace(change.signed.encode(), change.now.encode())
    sealed = profile.dress(payload, key, profile.style_for(receiver))
    body = sealed.body.replace(base64url_encode(payload).encode(), base64url_encode(changed).encode())
    body = body.replace(payload, changed)  # OCEN 4.0: the payload is the body
    try:
        with closing(Caller(receiver, lsp.tls_context(), profile)) as caller:
            status, judged = caller.post(message.path, body, trace_id, {**sealed.headers, **lsp.headers})
    except httpx.TransportError as error:
        url = receiver.base_url + message.path
        raise SandboxError(f"the lender does not answer at {url} ({error}): see `ocen-sandbox status`") from error
    history = lender.wait_for(lambda ops: ops.message(request_id), 2.0) or {"received": [], "refused": []}
    return SpoiledOutcome(
        message=message.full_name,
        change=change,
        request_id=request_id,
        sender=lsp.identity.organisation_id,
        receiver=lender.identity()["organisation_id"],
        status=status,
        ack=dict(judged.identified.ack) if judged.identified else {},
        ack_checks=tuple(step.as_dict() for step in judged.verification.steps),
        checks=tuple(history["refused"][0]["verification"]) if history["refused"] else (),
        accepted=bool(history["received"]),
    )
