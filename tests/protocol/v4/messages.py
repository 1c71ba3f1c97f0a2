"""Three messages that a lender takes: a good one, one that its body fits as well, and one that it does not fit."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from shared.protocol.messages import Exchange, MessageType, Role

LSP = "Role-3051"
LSP_ORGANISATION = "Org-417"
LENDER = "Role-3052"
LENDER_ORGANISATION = "Org-902"
NETWORK = "Network-3151"
FOREIGN_NETWORK = "Network-3152"


class Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True)


class CredentialType(StrEnum):
    OTP = "OTP"


class Credential(Part):
    type: CredentialType


class Acceptance(Part):
    metadata: dict[str, Any]
    product_data: dict[str, Any]
    loan_application_id: str
    cred_block: Credential


class Loan(Part):
    metadata: dict[str, Any]
    product_data: dict[str, Any]
    loan_id: str


def _taken(name: str, path: str, body: type[Part]) -> MessageType:
    exchange = Exchange("v4", name, f"/v4.0.0alpha/{path}", Role.LOAN_AGENT >> Role.LENDER, body, stage="tests")
    return exchange.request


TRIGGER = _taken("TriggerLoanAcceptanceRequest", "loanAcceptance/triggerLoanAcceptanceRequest", Acceptance)
VERIFY = _taken("VerifyLoanAcceptanceRequest", "loanAcceptance/verifyLoanAcceptanceRequest", Acceptance)
GET_LOAN = _taken("GetLoanRequest", "loanDetails/getloanRequest", Loan)

PATHS = {message.path: message for message in (TRIGGER, VERIFY, GET_LOAN)}

METADATA = {
    "version": "4.0.0alpha",
    "originatorOrgId": LSP_ORGANISATION,
    "originatorParticipantId": LSP,
    "orgId": LSP_ORGANISATION,
    "participantId": LSP,
    "timestamp": "2031-03-04T05:06:07.890Z",
    "traceId": "trace-1",
    "requestId": "request-1",
}


def acceptance() -> dict[str, Any]:
    """A payload for `TRIGGER` and for `VERIFY`, sent by the LSP now."""
    return {**_head(), "loanApplicationId": "ऋण-₹-417", "credBlock": {"type": "OTP", "data": {}}}


def loan() -> dict[str, Any]:
    """A payload for `GET_LOAN`, sent by the LSP now."""
    return {**_head(), "loanId": "loan-417"}


def _head() -> dict[str, Any]:
    return {"metadata": dict(METADATA), "productData": {"productId": "3101", "productNetworkId": NETWORK}}
