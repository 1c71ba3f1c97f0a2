"""What the benchmark's LSP asks for in every exchange, in each version of OCEN."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.network import Membership
from shared.catalogue.table import BY_NAME
from shared.node.ids import new_id


@dataclass(frozen=True, slots=True)
class Errand:
    """One message, over and over again.

    Attributes:
        message: its key in the catalogue.
        receiver: the lender, as the version names participants.
        content: what it says each time.
        drawn: the member that is drawn anew for each message; empty where none is.
    """

    message: str
    receiver: str
    content: Mapping[str, Any]
    drawn: str = ""

    def next_content(self) -> dict[str, Any]:
        """Return the content of the next message."""
        return {**self.content, self.drawn: new_id()} if self.drawn else dict(self.content)


def errand_of_v3() -> Errand:
    """Ask for a loan acceptance as v3 says it; a v3 lender does not know the application, so it stays the same."""
    message = "TriggerLoanAcceptanceRequest"
    return Errand(message, "LENDER01", BY_NAME[message].example())


def errand_of_v4(lender: Membership) -> Errand:
    """Ask for a loan acceptance as OCEN 4.0 says it.

    Each is for an application of its own: the lender takes those of one application one after another.
    """
    message = "v4/TriggerLoanAcceptanceRequest"
    product = {"productId": lender.product_id, "productNetworkId": lender.product_network_id}
    content = {**BY_NAME[message].example(), "productData": product}
    return Errand(message, lender.participant_id, content, drawn="loanApplicationId")
