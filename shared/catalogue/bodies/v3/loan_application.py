"""Loan applications: created by the LSP, taken or rejected by the lender (OCEN v3, Loan Application).

Members that a decision needs are typed; documents, guarantors and whatever else there is are kept as they came.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from shared.catalogue.bodies.body import Body, Identifier, ShortText
from shared.catalogue.bodies.v3.message import Message, Response
from shared.catalogue.bodies.v3.parts import AnyDate, LoanApplicationStatus, OneOrMany, RejectionDetail
from shared.catalogue.bodies.v4.loan_application import Borrower, LoanTerms, Objects, can_be_written_again


class LoanType(StrEnum):
    """What kind of loan is asked for."""

    CASHFLOW = "CASHFLOW"
    PERSONAL = "PERSONAL"
    HOME = "HOME"
    VEHICLE = "VEHICLE"
    BUSINESS = "BUSINESS"


class CollateralType(StrEnum):
    """What secures the loan."""

    GST_INVOICE = "GST_INVOICE"
    VEHICLE = "VEHICLE"
    HOME = "HOME"


class Collateral(Body):
    """One thing that secures the loan; an invoice is known by `<GSTIN>_<number of the invoice>`.

    The kind of the id is free, for the schema's own list ends in a placeholder for other registries.
    """

    collateral_primary_id: ShortText
    collateral_primary_id_type: ShortText
    type: CollateralType
    documents: Objects


class LoanApplication(Body):
    """One application, as it is asked for."""

    created_date: AnyDate
    loan_application_id: Identifier
    type: LoanType
    borrower: Borrower
    collaterals: Annotated[list[Collateral], Field(max_length=100, fail_fast=True)]
    guarantors: Objects
    applicants: Objects
    terms: LoanTerms
    extensible_data: dict[str, Any] | None = None


_PROCESSING = LoanApplicationStatus.PROCESSING


def _processing_if_null(value: Any) -> Any:
    return _PROCESSING if value is None else value


class JudgedApplication(Body):
    """One application, as the lender has judged it.

    The schema repeats that of the request and has no member for the outcome; the sample has nothing but id, status and
    lender, and null for all else. A status that is not given means that the application is being processed.
    """

    loan_application_id: Identifier
    loan_application_status: Annotated[LoanApplicationStatus, BeforeValidator(_processing_if_null)] = _PROCESSING
    rejection_details: OneOrMany[RejectionDetail] = Field(default_factory=list)


class CreateLoanApplicationsRequest(Message):
    """The LSP asks the lender to take these loan applications."""

    loan_applications: Annotated[
        list[LoanApplication],
        Field(min_length=1, max_length=100, fail_fast=True),
        BeforeValidator(can_be_written_again),
    ]


class CreateLoanApplicationsResponse(Message):
    """The lender tells of each application whether it is being processed or rejected, and why."""

    response: Response
    loan_applications: Annotated[list[JudgedApplication], Field(min_length=1, max_length=100, fail_fast=True)]
