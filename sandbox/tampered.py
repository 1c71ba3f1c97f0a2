"""A message that was changed after it was signed, sent by an insider of the LSP: what the lender answers.

Certificate, connection, kid and schema are all in order; only the signature shows it.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx

from sandbox.demo import Change, Script
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.insider import Caller, Insider
from sandbox.ops_client import OpsClient
from shared.clock import Clock
from shared.node.ids import new_id
from shared.protocol.participants import Participant


@dataclass(frozen=True, slots=True)
class TamperedOutcome:
    """What the lender did with the tampered message.

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


def send_tampered(
    script: Script, lsp: Insider, receiver: Participant, content: Mapping[str, Any], *, lender: OpsClient, clock: Clock
) -> TamperedOutcome:
    """Sign a message as the LSP, change what it says, and send it over mTLS with the LSP's certificate.

    Raises SandboxError if the lender does not answer.
    """
    message, change, request_id = script.message(script.tampered), script.change, new_id()
    key = lsp.identity.signing_key.bound_to(script.profile.algorithm)

    def tamper(payload: bytes) -> bytes:
        return payload.replace(change.signed.encode(), change.now.encode())

    try:
        with closing(Caller(lsp, receiver, script.profile)) as caller:
            status, judged = caller.send(message, content, request_id, key, clock.now(), change=tamper)
    except httpx.TransportError as error:
        url = receiver.base_url + message.path
        raise SandboxError(f"the lender does not answer at {url} ({error}): see `ocen-sandbox status`") from error
    history = lender.wait_for(lambda ops: ops.message(request_id), 2.0) or {"received": [], "refused": []}
    return TamperedOutcome(
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
