"""Offers: the lender tells for which applications it would lend, and on what terms (OCEN v3, Offers).

Amounts are in the currency of the terms, rates in percent of a year unless a charge says of what.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.catalogue.bodies.body import Body, Identifier, ShortText
from shared.catalogue.bodies.v3.message import Message, Response
from shared.catalogue.bodies.v3.parts import (
    ActionRequired,
    AnyDate,
    LoanApplicationIds,
    LoanApplicationStatus,
    OneOrMany,
    RejectionDetail,
)
from shared.catalogue.bodies.v4.loan_application import LoanTerms, Tenure
from shared.catalogue.bodies.values import Money, Quantity, Rate


class ChargeType(StrEnum):
    """Whether a charge is an amount, or a rate of something."""

    FIXED_AMOUNT = "FIXED_AMOUNT"
    RATE_BASED = "RATE_BASED"


class ApplicableParameter(StrEnum):
    """Of what a rate is taken."""

    TOTAL_LOAN_AMOUNT = "TOTAL_LOAN_AMOUNT"
    OUTSTANDING_PAYABLE_AMOUNT = "OUTSTANDING_PAYABLE_AMOUNT"
    EMI = "EMI"
    REPAYMENT_PRINCIPAL = "REPAYMENT_PRINCIPAL"


class ChargeData(Body):
    """How much a charge is: `amount`, or `rate` in percent of `applicable_parameter`."""

    rate: Rate | None = None
    amount: Money | None = None
    applicable_parameter: ApplicableParameter | None = None


class Charge(Body):
    """One charge."""

    charge_type: ChargeType
    description: ShortText | None = None
    data: ChargeData


class Charges(Body):
    """What the loan costs besides interest, and when."""

    prepayment: Charge | None = None
    bounce: Charge | None = None
    late_payment: Charge | None = None
    processing: Charge | None = None


class InterestType(StrEnum):
    """Whether the rate of interest may change while the loan runs."""

    FIXED = "FIXED"
    FLOATING = "FLOATING"


class LoanAgreement(Body):
    """The text to be agreed to, in base64, or where it stands."""

    type: Literal["TEXT", "URL"]
    data: str


class OfferTerms(LoanTerms):
    """What is offered; `total_amount` is `sanctioned_amount` with `interest_amount`."""

    sanctioned_amount: Money | None = None
    interest_type: InterestType | None = None
    interest_rate: Rate | None = None
    interest_amount: Money | None = None
    total_amount: Money | None = None
    legal_agreement: LoanAgreement | None = None
    charges: Charges | None = None
    extensible_data: dict[str, Any] | None = None


class ScheduleType(StrEnum):
    """How a plan is paid: in instalments, at once, or when asked."""

    RECURRING = "RECURRING"
    ONE_TIME = "ONE_TIME"
    AS_PRESENTED = "AS_PRESENTED"


class Frequency(StrEnum):
    """How often an instalment is due."""

    MONTHLY = "MONTHLY"
    WEEKLY = "WEEKLY"
    QUARTERLY = "QUARTERLY"
    HALF_YEARLY = "HALF_YEARLY"
    YEARLY = "YEARLY"


class PlanStatus(StrEnum):
    """Whether a plan is in use; in an offer it is not yet."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    PENDING_AUTH = "PENDING_AUTH"


Count = Annotated[Quantity, Field(ge=1, multiple_of=1)]


class PaymentPlan(Body):
    """How money is paid out or back. The schema spells the number of instalments in two ways; the plural is sent."""

    id: Identifier
    automatic: bool
    schedule_type: ScheduleType
    no_of_installments: Count | None = None
    no_of_installment: Count | None = None
    frequency: Frequency | None = None
    tenure: Tenure | None = None
    total_amount: Money
    principal: Money | None = None
    interest_amount: Money | None = None
    penalty: Money | None = None
    start_date: AnyDate | None = None
    status: PlanStatus | None = None

    @property
    def instalments(self) -> int:
        """The number of instalments, however it is spelled."""
        return int(self.no_of_installments or self.no_of_installment or 1)

    @model_validator(mode="after")
    def _tells_the_number(self) -> Self:
        if self.no_of_installments is None and self.no_of_installment is None:
            raise PydanticCustomError("missing", "Field required: noOfInstallments")
        return self


class AccountDetails(Body):
    """An account that the loan may be paid to; its number is masked."""

    id: Identifier | None = None
    account_data_type: Literal["ACCOUNT", "VPA"]
    data: dict[str, Any]


class Disbursement(Body):
    """How the loan may be paid out, and to which accounts."""

    plans: OneOrMany[PaymentPlan]
    account_details: OneOrMany[AccountDetails] = Field(default_factory=list)


class Repayment(Body):
    """How the loan may be paid back."""

    plans: OneOrMany[PaymentPlan]


class Offer(Body):
    """What the lender binds itself to until `valid_till`."""

    id: Identifier
    valid_till: AnyDate
    terms: OfferTerms
    disbursement: Disbursement
    repayment: Repayment
    description: ShortText | None = None
    extensible_data: dict[str, Any] | None = None


class OfferedApplication(Body):
    """One application: its offers, or why there are none."""

    loan_application_id: Identifier
    loan_application_status: LoanApplicationStatus
    offers: OneOrMany[Offer] = Field(default_factory=list)
    rejection_details: OneOrMany[RejectionDetail] = Field(default_factory=list)
    action_required: OneOrMany[ActionRequired] = Field(default_factory=list)


class GenerateOffersRequest(Message):
    """The LSP asks the lender for offers, now that the consent to share data is given."""

    loan_application_ids: LoanApplicationIds


class GenerateOffersResponse(Message):
    """The lender tells of each application its offers, what is missing for a decision, or why it is rejected."""

    response: Response
    loan_applications: Annotated[list[OfferedApplication], Field(min_length=1, max_length=100, fail_fast=True)]
