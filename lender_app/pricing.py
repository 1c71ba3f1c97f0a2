"""The terms of an offer: charges with their tax, schedule, and APR. Amounts are in rupees on the paisa."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from lender_app.lending import LendingFigures
from lender_app.money import Schedule, annual_percentage_rate, on_the_paisa, reducing_schedule, single_payment

_NAMESPACE: Final = UUID("0f4c8c4e-8a7b-4f0e-8a55-0d6f6b1f3c21")
_DAYS_OF_YEAR: Final = Decimal(365)
_MONTHS_OF_YEAR: Final = Decimal(12)


class TermUnit(StrEnum):
    """In what the time of a loan is counted. Days mean one payment at the end, months an instalment for each."""

    DAY = "DAY"
    MONTH = "MONTH"


@dataclass(frozen=True, slots=True)
class LoanTerm:
    """How long a loan runs."""

    count: int
    unit: TermUnit


@dataclass(frozen=True, slots=True)
class LoanCharges:
    """What the loan costs besides interest: amounts in rupees with their tax, `prepayment` in percent.

    `processing_tax` is the part of `processing` that is tax.
    """

    processing: Decimal
    processing_tax: Decimal
    bounce: Decimal
    late_payment: Decimal
    prepayment: Decimal


@dataclass(frozen=True, slots=True)
class LoanOffer:
    """What the lender binds itself to: `rate` and `apr` in percent of a year, `valid_till` the last second of it."""

    id: str
    amount: Decimal
    rate: Decimal
    term: LoanTerm
    schedule: Schedule
    charges: LoanCharges
    apr: Decimal
    valid_till: datetime

    @property
    def interest(self) -> Decimal:
        """All interest, in rupees."""
        return sum((row.interest for row in self.schedule), Decimal(0))

    @property
    def total(self) -> Decimal:
        """All that the borrower pays back, in rupees."""
        return self.amount + self.interest

    @property
    def net_disbursed(self) -> Decimal:
        """What the borrower gets in the hand, in rupees."""
        return self.amount - self.charges.processing

    @property
    def expires_at(self) -> datetime:
        """The moment from which it can no longer be accepted."""
        return self.valid_till + timedelta(seconds=1)

    @property
    def disbursement_plan_id(self) -> str:
        """The id of the one plan by which it is paid out."""
        return str(uuid5(_NAMESPACE, f"{self.id}\ndisbursement"))

    @property
    def repayment_plan_id(self) -> str:
        """The id of the one plan by which it is paid back."""
        return str(uuid5(_NAMESPACE, f"{self.id}\nrepayment"))


def priced(
    name: str, *, amount: Decimal, term: LoanTerm, rate: Decimal, figures: LendingFigures, valid_till: datetime
) -> LoanOffer:
    """Return the offer of a loan; `name` is what its id is made from, and no other offer may have it."""
    charges = charges_of(amount, figures)
    if term.unit is TermUnit.DAY:
        schedule, per_year = single_payment(amount, rate, term.count), _DAYS_OF_YEAR / term.count
    else:
        schedule, per_year = reducing_schedule(amount, rate, term.count), _MONTHS_OF_YEAR
    paid = tuple(row.amount for row in schedule)
    apr = annual_percentage_rate(amount - charges.processing, paid, per_year)
    return LoanOffer(str(uuid5(_NAMESPACE, name)), amount, rate, term, schedule, charges, apr, valid_till)


def charges_of(amount: Decimal, figures: LendingFigures) -> LoanCharges:
    """Return what a loan of this amount costs besides interest."""
    fee = on_the_paisa(amount * figures.processing / 100)
    tax = on_the_paisa(fee * figures.gst / 100)
    return LoanCharges(
        processing=fee + tax,
        processing_tax=tax,
        bounce=on_the_paisa(figures.bounce * (100 + figures.gst) / 100),
        late_payment=on_the_paisa(figures.late_payment),
        prepayment=figures.prepayment,
    )
