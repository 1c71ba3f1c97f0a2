"""The default content of a message: the catalogue's example, filled in."""

from typing import Any, Final

from sandbox.network import Membership
from shared.catalogue.table import example_of
from shared.node.ids import new_id
from shared.protocol.messages import MessageType

CREATE: Final = "CreateLoanApplicationsRequest"
TRIGGER: Final = "TriggerLoanAcceptanceRequest"
VERIFY: Final = "VerifyLoanAcceptanceRequest"


def example_for(message: MessageType, member: Membership | None, loan_application_id: str = "") -> dict[str, Any]:
    """Return a message's example for the product network of a member, about this loan application.

    Without an application, a message that makes one gets a new id; the others keep that of the catalogue's example,
    which lenders of the sandbox take though no message made it. Without a member (OCEN v3) there is no product network.
    """
    content = example_of(message)
    application = loan_application_id or content.get("loanApplicationId") or new_application_id()
    if member is not None:
        content["productData"] = product_data_of(member)
    for about in (content, *content.get("loanApplications", ())):
        if "loanApplicationId" in about:
            about["loanApplicationId"] = application
    return content


def product_data_of(member: Membership) -> dict[str, str]:
    """Return the productData of a member's messages, the network under both spellings (docs/positions.md P18)."""
    network = member.product_network_id
    return {"productId": member.product_id, "productNetworkId": network, "networkId": network}


def new_application_id() -> str:
    """Make a loanApplicationId; an LSP must not use one again."""
    return f"APPL-{new_id()[-12:].upper()}"
