"""A message that was changed after it was signed, sent as an attacker inside the LSP would: what the lender says to it.

Certificate, connection, kid and shape are all in order; nothing but the signature can tell.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import httpx

from sandbox.caller import Caller
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.ops_client import OpsClient
from sandbox.running import Run
from sandbox.settings import NodeName
from shared.catalogue.table import BY_NAME
from shared.node.clock import Clock
from shared.node.identity import Identity, load_identity
from shared.node.ids import new_id
from shared.node.net.tls import client_context
from shared.node.onboarding.record import participant_of, read_records
from shared.protocol.encoding import base64url_encode, dump_json, parse_json_object
from shared.protocol.envelope import seal
from shared.protocol.participants import Participant
from shared.protocol.profiles import V3
from shared.protocol.verification import Examination

MESSAGE: Final = BY_NAME["TriggerLoanAcceptanceRequest"]
SIGNED_ID: Final = "APPL-2031-000417"
CHANGED_ID: Final = "APPL-2031-999999"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What came of it.

    Attributes:
        ack: the payload of the signed refusal; `ack_checks` are what the sender's side found in it.
        checks: what the lender found in the message; empty if its journal has no record of it.
        accepted: whether the lender accepted it after all.
    """

    request_id: str
    sender: str
    receiver: str
    status: int
    ack: Record
    ack_checks: tuple[Record, ...]
    checks: tuple[Record, ...]
    accepted: bool

    @property
    def failed_check(self) -> Record | None:
        """The check of the lender's that failed."""
        return next((step for step in self.checks if step["outcome"] == "failed"), None)

    @property
    def is_right(self) -> bool:
        """Whether it was refused for the right reason, by an ack that holds itself, and without effect."""
        failed = self.failed_check
        ack_holds = all(step["outcome"] == "passed" for step in self.ack_checks)
        return failed is not None and failed["check"] == "signature_verifies" and ack_holds and not self.accepted


def send_spoiled(run: Run, lender: OpsClient, clock: Clock) -> Refusal:
    """Sign as the LSP, change the payload, send it over mTLS with the LSP's certificate.

    Raises:
        SandboxError: the lender does not answer.
        IdentityError, OnboardingError, TlsConfigurationError: the files of the LSP cannot be used.
    """
    identity = load_identity(run.certs / run.nodes[NodeName.LSP].organisation_id / "identity.json")
    receiver = _receiver(run)
    request_id, trace_id = new_id(), new_id()
    content = {**MESSAGE.example(), "loanApplicationIds": [SIGNED_ID]}
    payload = V3.stamp(content, identity.originators[V3.name], request_id, trace_id, clock.now())
    status, examination = _post(_spoil(payload, identity, receiver), identity, receiver, trace_id)
    history = lender.wait_for(lambda ops: ops.message(request_id), 2.0) or {"received": [], "refused": []}
    return Refusal(
        request_id=request_id,
        sender=identity.organisation_id,
        receiver=receiver.organisation_id,
        status=status,
        ack=examination.document,
        ack_checks=tuple(step.as_dict() for step in examination.steps),
        checks=tuple(history["refused"][0]["verification"]) if history["refused"] else (),
        accepted=bool(history["received"]),
    )


def _receiver(run: Run) -> Participant:
    """The lender of the run, at its address: in the file another pair of the same keys may have written its own."""
    lender = run.nodes[NodeName.LENDER]
    records = read_records(run.certs / "participants.json")
    listed = participant_of(next(record for record in records if record.organisation_id == lender.organisation_id))
    return replace(listed, base_url=lender.url)


def _spoil(payload: bytes, identity: Identity, receiver: Participant) -> bytes:
    signed = seal(payload, identity.signing_key, receiver.envelope_member)
    changed: dict[str, Any] = {**parse_json_object(payload), "loanApplicationIds": [CHANGED_ID]}
    return replace(signed, payload=base64url_encode(dump_json(changed))).to_bytes()


def _post(body: bytes, identity: Identity, receiver: Participant, trace_id: str) -> tuple[int, Examination]:
    context = client_context(identity.tls_certificate, identity.tls_private_key, identity.trust)
    try:
        with Caller(receiver, context) as caller:
            return caller.post(MESSAGE.path, body, trace_id)
    except httpx.TransportError as error:
        url = receiver.base_url + MESSAGE.path
        raise SandboxError(f"the lender does not answer at {url} ({error}): see `ocen-sandbox status`") from error
