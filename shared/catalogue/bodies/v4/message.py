"""What the bodies of OCEN 4.0 messages share (MetaData, ProductData, Response, LoanApplicationStatus)."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.catalogue.bodies.body import Body, Identifier


class Metadata(Body):
    """The head of every payload. `timestamp` is an RFC 3339 date-time with an offset.

    The schema spells the two ids of the originator in two ways (P18). That one of each is there and that they are
    the sender's is judged before any body.
    """

    version: Identifier
    timestamp: Identifier
    trace_id: Identifier
    request_id: Identifier
    originator_org_id: Identifier | None = None
    originator_participant_id: Identifier | None = None
    org_id: Identifier | None = None
    participant_id: Identifier | None = None


class ProductData(Body):
    """Which loan product, and in which product network. The schema spells the network's id in two ways (P18)."""

    product_id: Identifier
    product_network_id: Identifier | None = None
    network_id: Identifier | None = None

    @property
    def network(self) -> str:
        """The id of the product network, however it is spelled."""
        return self.product_network_id or self.network_id or ""

    @model_validator(mode="after")
    def _names_one_network(self) -> Self:
        if not self.network:
            raise missing("productNetworkId or networkId")
        if None not in (self.product_network_id, self.network_id) and self.product_network_id != self.network_id:
            raise ValueError("productNetworkId and networkId differ")
        return self


class Message(Body):
    """What every payload of a loan's journey begins with."""

    metadata: Metadata
    product_data: ProductData


class ResponseStatus(StrEnum):
    """How what was asked for ended: done, or not (OCEN 4.0 Response.status)."""

    SUCCESS = "SUCCESS"
    ERROR = "ERROR"


DETAIL_LENGTH = 2048


class Response(Body):
    """The outcome that a callback reports; after an ERROR all is as it was before the request."""

    status: ResponseStatus
    response_detail: Annotated[str, StringConstraints(max_length=DETAIL_LENGTH)] | None = None


class LoanApplicationStatus(StrEnum):
    """How far a loan application has come (OCEN 4.0 LoanApplicationStatus, in its order and spelling)."""

    CREATED = "CREATED"
    PROCESSING = "PROCESSING"
    CONSENT_INITIATED = "CONSENT_INITIATED"
    CONSENT_RECEIVED = "CONSENT_RECEIVED"
    CONSENT_REJECTED = "CONSENT_REJECTED"
    OFFERED = "OFFERED"
    OFFER_ACCEPTED = "OFFER_ACCEPTED"
    KYC_INITIATED = "KYC_INITIATED"
    KYC_COMPLETED = "KYC_COMPLETED"
    KYC_FAILED = "KYC_FAILED"
    KYC_REJECTED = "KYC_REJECTED"
    LOAN_AGREEMENT_INITIATED = "LOAN_AGREEMENT_INITIATED"
    LOAN_AGREEMENT_COMPLETED = "LOAN_AGREEMENT_COMPLETED"
    LOAN_AGREEMENT_FAILED = "LOAN_AGREEMENT_FAILED"
    REPAYMENT_SETUP_INITIATED = "REPAYMENT_SETUP_INITIATED"
    REPAYMENT_SETUP_COMPLETED = "REPAYMENT_SETUP_COMPLETED"
    REPAYMENT_SETUP_FAILED = "REPAYMENT_SETUP_FAILED"
    REPAYMENT_SETUP_REJECTED = "REPAYMENT_SETUP_REJECTED"
    SET_DISBURSEMENT_ACCOUNT_INITIATED = "SET_DISBURSEMENT_ACCOUNT_INITIATED"
    SET_DISBURSEMENT_ACCOUNT_COMPLETED = "SET_DISBURSEMENT_ACCOUNT_COMPLETED"
    SET_DISBURSEMENT_ACCOUNT_FAILED = "SET_DISBURSEMENT_ACCOUNT_FAILED"
    SET_DISBURSEMENT_ACCOUNT_REJECTED = "SET_DISBURSEMENT_ACCOUNT_REJECTED"
    GRANTED = "GRANTED"
    REJECTED = "REJECTED"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    DISBURSEMENT_INITIATED = "DISBURSEMENT_INITIATED"
    DISBURSEMENT_COMPLETED = "DISBURSEMENT_COMPLETED"
    DISBURSED_FAILED = "DISBURSED_FAILED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


def missing(what: str) -> PydanticCustomError:
    """Return the error of a member that is missing though no single member is required."""
    return PydanticCustomError("missing", "Field required: {what}", {"what": what})
