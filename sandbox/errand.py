"""What the benchmark's LSP asks for in every exchange, in each version of OCEN."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.network import Membership
from shared.catalogue.table import example_of, get_message


@dataclass(frozen=True, slots=True)
class Errand:
    """One message, over and over again.

    Attributes:
        message: its full name.
        receiver: the lender, as the version names participants.
        content: what it says each time.
    """

    message: str
    receiver: str
    content: Mapping[str, Any]


def errand_of_v3() -> Errand:
    """Ask for a loan acceptance as v3 says it, of one application over and over again."""
    message = get_message("v3", "TriggerLoanAcceptanceRequest")
    return Errand(message.full_name, "LENDER01", example_of(message))


def errand_of_v4(lender: Membership) -> Errand:
    """Ask for the same as OCEN 4.0 says it."""
    message = get_message("v4", "TriggerLoanAcceptanceRequest")
    product = {"productId": lender.product_id, "productNetworkId": lender.product_network_id}
    content = {**example_of(message), "productData": product}
    return Errand(message.full_name, lender.participant_id, content)
