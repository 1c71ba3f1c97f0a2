"""A message that was changed after it was signed, sent as an attacker inside the LSP would: what the lender says to it.

Certificate, connection, kid and shape are all in order; nothing but the signature can tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import httpx

from sandbox.caller import Caller
from sandbox.demo_v4 import example_for, new_application_id
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.ops_client import OpsClient
from sandbox.running import Run
from sandbox.settings import NodeName
from sandbox.visit import Visit
from shared.catalogue.table import example_of, get_message
from shared.node.clock import Clock
from shared.node.identity import Identity, load_identity
from shared.node.ids import new_id
from shared.node.net.tls import client_context
from shared.node.onboarding.record import participant_of, read_records
from shared.protocol.encoding import base64url_encode, dump_json, parse_json_object
from shared.protocol.envelope import seal
from shared.protocol.messages import MessageType
from shared.protocol.participants import Participant
from shared.protocol.profiles import V3, V4, Judged, Originator, Profile

MESSAGE: Final = get_message("v3", "TriggerLoanAcceptanceRequest")
MESSAGE_V4: Final = get_message("v4", "CreateLoanApplicationsRequest")


class Change(NamedTuple):
    """What was changed after signing: a member of the content, its value when it was signed, and its value now."""

    member: str
    signed: str
    now: str


CHANGE: Final = Change("loanApplicationIds", "APPL-2031-000417", "APPL-2031-999999")
CHANGE_V4: Final = Change("requestedAmount", "250000", "950000")


class Forgery(NamedTuple):
    """A message as it goes out: signed, and then changed."""

    message: MessageType
    profile: Profile
    change: Change
    body: bytes
    headers: Mapping[str, str]
    request_id: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Refusal:
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
    """Sign a message of OCEN v3 as the LSP, change its payload, send it over mTLS with the LSP's certificate.

    Raises:
        SandboxError: the lender does not answer.
        IdentityError, OnboardingError, TlsConfigurationError: the files of the LSP cannot be used.
    """
    identity = load_identity(run.certs / run.nodes[NodeName.LSP].organisation_id / "identity.json")
    receiver = _receiver(run)
    request_id, trace_id = new_id(), new_id()
    content = {**example_of(MESSAGE), CHANGE.member: [CHANGE.signed]}
    payload = V3.stamp(content, identity.originators[V3.name], request_id, trace_id, clock.now())
    signed = seal(payload, identity.signing_key, receiver.envelope_member)
    changed: dict[str, Any] = {**parse_json_object(payload), CHANGE.member: [CHANGE.now]}
    body = replace(signed, payload=base64url_encode(dump_json(changed))).to_bytes()
    forgery = Forgery(MESSAGE, V3, CHANGE, body, {}, request_id, trace_id)
    return _send(forgery, identity, receiver, lender, receiver.organisation_id)


def send_spoiled_v4(visit: Visit, receiver: Participant, lender: OpsClient, clock: Clock) -> Refusal:
    """Sign a message of OCEN 4.0 as the LSP, change its body, send it with the LSP's certificate and token.

    Raises:
        SandboxError: the lender does not answer.
        TlsConfigurationError: the files of the LSP cannot be used.
    """
    identity, request_id, trace_id = visit.identity, new_id(), new_id()
    content = example_for(MESSAGE_V4, visit.member, new_application_id())
    key = identity.key_for(V4.algorithm)
    originator = Originator(visit.member.participant_id, visit.member.organisation_id)
    payload = V4.stamp(content, originator, request_id, trace_id, clock.now())
    headers = {**V4.dress(payload, key, V4.style_for(receiver)).headers, **visit.authorization}
    body = payload.replace(CHANGE_V4.signed.encode(), CHANGE_V4.now.encode())
    forgery = Forgery(MESSAGE_V4, V4, CHANGE_V4, body, headers, request_id, trace_id)
    return _send(forgery, identity, receiver, lender, lender.identity()["organisation_id"])


def _send(forgery: Forgery, identity: Identity, receiver: Participant, lender: OpsClient, lender_id: str) -> Refusal:
    status, judged = _post(forgery, identity, receiver)
    history = lender.wait_for(lambda ops: ops.message(forgery.request_id), 2.0) or {"received": [], "refused": []}
    return Refusal(
        message=forgery.message.full_name,
        change=forgery.change,
        request_id=forgery.request_id,
        sender=identity.organisation_id,
        receiver=lender_id,
        status=status,
        ack=dict(judged.identified.ack) if judged.identified else {},
        ack_checks=tuple(step.as_dict() for step in judged.verification.steps),
        checks=tuple(history["refused"][0]["verification"]) if history["refused"] else (),
        accepted=bool(history["received"]),
    )


def _receiver(run: Run) -> Participant:
    """The lender of the run, at its address: in the file another pair of the same keys may have written its own."""
    lender = run.nodes[NodeName.LENDER]
    records = read_records(run.certs / "participants.json")
    listed = participant_of(next(record for record in records if record.organisation_id == lender.organisation_id))
    return replace(listed, base_url=lender.url)


def _post(forgery: Forgery, identity: Identity, receiver: Participant) -> tuple[int, Judged]:
    context = client_context(identity.tls_certificate, identity.tls_private_key, identity.trust)
    path = forgery.message.path
    try:
        with Caller(receiver, context, forgery.profile) as caller:
            return caller.post(path, forgery.body, forgery.trace_id, forgery.headers)
    except httpx.TransportError as error:
        url = receiver.base_url + path
        raise SandboxError(f"the lender does not answer at {url} ({error}): see `ocen-sandbox status`") from error
