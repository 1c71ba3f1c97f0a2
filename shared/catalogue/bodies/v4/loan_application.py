"""Loan applications: created by the Loan Agent, taken or rejected by the lender (OCEN 4.0, Create Loan Applications).

Members that a decision needs are typed; documents, guarantors, charges and all else are kept as they came.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from shared.catalogue.bodies.body import Body, Identifier, ShortText
from shared.catalogue.bodies.v4.message import LoanApplicationStatus, Message, Response
from shared.catalogue.bodies.values import DateOrTime, Money, Quantity
from shared.protocol.encoding import dump_json


class PrimaryIdType(StrEnum):
    """What kind of number a borrower is known by."""

    PAN = "PAN"
    MOBILE = "MOBILE"
    AADHAAR = "AADHAAR"


class BorrowerCategory(StrEnum):
    """Whether the borrower is a firm or a person."""

    ORGANIZATION = "ORGANIZATION"
    INDIVIDUAL = "INDIVIDUAL"


class ContactType(StrEnum):
    """Which of several contacts it is."""

    PRIMARY = "PRIMARY"
    OTHER = "OTHER"


class TenureUnit(StrEnum):
    """In what a tenure is counted."""

    MONTH = "MONTH"
    DAY = "DAY"
    YEAR = "YEAR"


class ContactDetails(Body):
    """One way to reach the borrower."""

    type: ContactType
    phone: ShortText


Objects = Annotated[list[dict[str, Any]], Field(fail_fast=True)]
"""Any objects. Judging ends at the first that is none: a mebibyte holds half a million, and an error for each takes
seconds in which nobody else is answered."""


class Borrower(Body):
    """Who asks for the loan."""

    primary_id: Identifier
    primary_id_type: PrimaryIdType
    category: BorrowerCategory
    contact_details: Annotated[list[ContactDetails], Field(max_length=20, fail_fast=True)]
    name: ShortText | None = None


class Tenure(Body):
    """How long the loan is to run."""

    duration: Quantity
    unit: TenureUnit


class LoanTerms(Body):
    """What is asked for; `requested_amount` is in `currency`."""

    requested_amount: Money
    currency: ShortText
    tenure: Tenure | None = None


class PledgedDocuments(Body):
    """The first page of the documents that secure the loan."""

    total_document_count: int
    has_additional_documents: bool
    documents: Objects


class LoanApplication(Body):
    """One application. Pledged documents are an object in the schema, an array in the samples; both are taken."""

    created_date: DateOrTime
    loan_application_id: Identifier
    loan_application_status: LoanApplicationStatus
    pledged_documents: PledgedDocuments | Objects
    borrower: Borrower
    guarantors: Objects
    applicants: Objects
    terms: LoanTerms
    loan_type: ShortText | None = None
    extensible_data: dict[str, Any] | None = None


def can_be_written_again(value: Any) -> Any:
    """Refuse a number that no JSON reader keeps (RFC 7493 s2.2): the callback repeats each application in full.

    Here the sender learns of it, and not when the callback is to be written.
    """
    dump_json(value)
    return value


LoanApplications = Annotated[
    list[LoanApplication], Field(min_length=1, max_length=100, fail_fast=True), BeforeValidator(can_be_written_again)
]


class CreateLoanApplicationsRequest(Message):
    """The Loan Agent asks the lender to take these loan applications.

    The schema does not require any; without one the message says nothing.
    """

    loan_applications: LoanApplications


class CreateLoanApplicationsResponse(Message):
    """The lender tells of each application whether it is being processed or rejected, and why."""

    response: Response
    loan_applications: LoanApplications
