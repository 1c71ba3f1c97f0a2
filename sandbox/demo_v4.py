"""The demo of OCEN 4.0: one loan application to every lender of the network, and its acceptance at the first."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.demo import PATIENCE_SECONDS, DemoFailedError, Exchange, Scene, demand_success, otp_answer
from sandbox.errors import SandboxError
from sandbox.following import Passage, Record
from sandbox.network import Membership, RegistryOps
from sandbox.ops_client import OpsClient
from sandbox.running import Run
from sandbox.settings import NodeName
from shared.catalogue.bodies.v4.registry import RoleStatus
from shared.catalogue.table import example_of, get_message
from shared.node.ids import new_id
from shared.protocol.messages import MessageType

CREATE: Final = get_message("v4", "CreateLoanApplicationsRequest")
TRIGGER: Final = get_message("v4", "TriggerLoanAcceptanceRequest")
VERIFY: Final = get_message("v4", "VerifyLoanAcceptanceRequest")


def example_for(message: MessageType, member: Membership, loan_application_id: str) -> dict[str, Any]:
    """Return a message's example for the product network of a member, about this loan application."""
    content = example_of(message)
    content["productData"] = product_data_of(member)
    if "loanApplicationId" in content:
        content["loanApplicationId"] = loan_application_id
    for application in content.get("loanApplications", ()):
        application["loanApplicationId"] = loan_application_id
    return content


def product_data_of(member: Membership) -> dict[str, str]:
    """Return the productData of a member's messages, the network under both spellings (docs/positions.md P18)."""
    network = member.product_network_id
    return {"productId": member.product_id, "productNetworkId": network, "networkId": network}


def fresh_example(message: MessageType, member: Membership) -> dict[str, Any]:
    """Return a message's example for the product network of a member, under a new loan application id if it makes one.

    The others keep the id of the catalogue's example, which lenders of the sandbox take though no message made it.
    """
    content = example_of(message)
    known = content.get("loanApplicationId", "")
    return example_for(message, member, known or new_application_id())


def new_application_id() -> str:
    """Make a loanApplicationId; an LSP must not use one again."""
    return f"APPL-{new_id()[-12:].upper()}"


def demand_members(registry: RegistryOps, run: Run, members: Mapping[NodeName, Membership]) -> None:
    """Refuse to begin where a node takes no part in the network.

    Raises:
        SandboxError: one was offboarded, is not approved, or is in no network; or the registry does not answer.
    """
    inside = {network["id"]: network["members"] for network in registry.networks()}
    for name, member in members.items():
        organisation_id = run.nodes[name].organisation_id
        known = registry.participant(member.participant_id)
        if known is None or known["client_id"] != member.client_id or known["offboarded_at"] is not None:
            mend = f"`ocen-sandbox down`, then `{run.command}`, which joins it anew"
            raise SandboxError(f"{organisation_id} was offboarded: {mend}")
        if known["status"] != RoleStatus.APPROVED:
            mend = f"ocen-sandbox registry approve {organisation_id}"
            raise SandboxError(f"{organisation_id} is {known['status']}, not APPROVED: {mend}")
        if member.participant_id not in inside.get(member.product_network_id, ()):
            mend = f"ocen-sandbox registry join {organisation_id}"
            raise SandboxError(f"{organisation_id} is not in product network {member.product_network_id}: {mend}")


@dataclass(frozen=True, slots=True)
class DemoV4:
    """The exchanges of the LSP with the lenders of its network that run here.

    Attributes:
        members: what the registry knows the nodes by.
        lenders: which lenders are asked, the one that gives the loan first.
    """

    pair: Mapping[NodeName, OpsClient]
    members: Mapping[NodeName, Membership]
    lenders: Sequence[NodeName]
    loan_application_id: str

    def apply(self) -> dict[NodeName, str]:
        """Send the same application to every lender, in a message of its own each; return their requestIds.

        Raises:
            SandboxError: the LSP does not send.
        """
        content = self._content(CREATE, {})
        return {lender: self._with(lender).begin(CREATE, content) for lender in self.lenders}

    def created(self, lender: NodeName, request_id: str) -> Generator[Scene, None, None]:
        """Tell how a lender takes the application.

        Raises:
            DemoFailedError: a step does not hold.
        """
        answer = yield from self._with(lender).follow(CREATE, request_id)
        status = answer.content["loanApplications"][0]["loanApplicationStatus"]
        if status != "PROCESSING":
            raise DemoFailedError(f"the {lender.label} says {status} to the application, not PROCESSING")

    def accepted(self) -> Generator[Scene, None, None]:
        """Tell how the borrower accepts the loan of the first lender, by an OTP.

        Raises:
            DemoFailedError: a step does not hold.
        """
        exchange = self._with(self.lenders[0])
        offered = yield from exchange.ask(TRIGGER, self._content(TRIGGER, {}))
        sms = exchange.sms(offered.request_id)
        yield sms
        answer = self._content(VERIFY, {"credBlock": {"data": otp_answer(offered, sms)}})
        demand_success((yield from exchange.ask(VERIFY, answer)))

    def _with(self, lender: NodeName) -> Exchange:
        return Exchange(self.pair, lender, self.members[lender].participant_id)

    def _content(self, message: MessageType, given: Mapping[str, Any]) -> dict[str, Any]:
        return {**example_for(message, self.members[NodeName.LSP], self.loan_application_id), **given}


def heartbeat_of(
    registry: RegistryOps, passages: Sequence[Passage], loan_application_id: str, patience: float = PATIENCE_SECONDS
) -> list[Record]:
    """Return what both sides of each message have reported about the application, in the order of time.

    Raises:
        DemoFailedError: less than that has come in `patience` seconds.
    """

    def look(ops: RegistryOps) -> list[Record] | None:
        found: list[Record] = [one for one in ops.events(limit="200") if _is_about(one, loan_application_id)]
        return found if len(found) >= 2 * len(passages) else None

    events = registry.wait_for(look, patience)
    if events is None:
        raise DemoFailedError(f"the heartbeat has not got {2 * len(passages)} events in {patience:.0f} s")
    return sorted(events, key=lambda one: one["body"]["event"]["timestamp"])


def _is_about(event: Record, loan_application_id: str) -> bool:
    return bool(event["body"]["event"]["loanMetaData"]["loanApplicationId"] == loan_application_id)
