"""What this lender's loans cost, how often and how long things may be tried, and when its offers end.

OCEN gives none of these figures. Amounts are in rupees, rates in percent of a year. Of each time it is said whether it
is real time, or business time, which the sandbox can put forward.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType

INDIA = timezone(timedelta(hours=5, minutes=30), "IST")
"""Where a business day begins and ends."""

_SATURDAY = 5
_LAST_SECOND = time(23, 59, 59)
_RATES = MappingProxyType(
    {"CASHFLOW": Decimal("15"), "BUSINESS": Decimal("16.5"), "PERSONAL": Decimal("21"), "VEHICLE": Decimal("12.75")}
)


@dataclass(frozen=True, slots=True)
class LendingFigures:
    """Prices, limits and times of a loan up to its agreement.

    Attributes:
        rates: interest by the type of the loan; `other_rate` for a type that is not among them.
        shorter_discount: by how much the rate of the shorter of two offers is lower, in percentage points.
        processing: the fee that is kept back at disbursement, in percent of the loan, before tax.
        gst: the tax on fees, in percent of them. None is due on penal charges (CBIC circular 245/02/2025).
        prepayment: what paying early costs after the cooling-off period, in percent of what is outstanding.
        bounce: what a failed debit costs, in rupees, before tax.
        late_payment: the penal charge of an instalment that is late, in rupees.
        months: the tenure of an application that names none.
        invoice_share: how much of an invoice is lent, in percent of its value.
        invoice_age: how old an invoice may be.
        invoice_tenure: how long a loan on an invoice may run.
        consent_rounds, offer_rounds, document_rounds: how often consents are asked for, offers made and documents
            asked for, for one application.
        otp_resends: how many OTPs one application may have.
        offer_working_days: how many working days an offer holds (RBI/2024-25/18: at least 3).
        aa_answer, offer_answer: how long a request waits for the Account Aggregator and for the decision; real time.
        pledged_documents: how long each page of documents is waited for; real time.
        derived_data: how long derived data are waited for; real time.
        application_life: when an application without a loan ends; business time.
        consent_life: how long the borrower may take to decide on a consent; business time.
    """

    rates: Mapping[str, Decimal] = field(default_factory=lambda: _RATES)
    other_rate: Decimal = Decimal(18)
    shorter_discount: Decimal = Decimal(1)
    processing: Decimal = Decimal(2)
    gst: Decimal = Decimal(18)
    prepayment: Decimal = Decimal(3)
    bounce: Decimal = Decimal(500)
    late_payment: Decimal = Decimal(300)
    months: int = 3
    invoice_share: Decimal = Decimal(80)
    invoice_age: timedelta = timedelta(days=90)
    invoice_tenure: timedelta = timedelta(days=90)
    consent_rounds: int = 3
    offer_rounds: int = 3
    document_rounds: int = 3
    otp_resends: int = 5
    offer_working_days: int = 3
    aa_answer: timedelta = timedelta(seconds=20)
    offer_answer: timedelta = timedelta(seconds=20)
    pledged_documents: timedelta = timedelta(minutes=15)
    derived_data: timedelta = timedelta(seconds=60)
    application_life: timedelta = timedelta(days=30)
    consent_life: timedelta = timedelta(hours=24)

    def rate_of(self, loan_type: str | None) -> Decimal:
        """Return the interest of a type of loan, in percent of a year."""
        return self.rates.get(loan_type or "", self.other_rate)


def end_of_working_day(now: datetime, days: int) -> datetime:
    """Return the last second, in India, of the working day that is so many working days after the present day.

    Monday to Friday are working days; there is no list of holidays. `now` is aware, as is what is returned.
    """
    day = now.astimezone(INDIA).date()
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < _SATURDAY
    return datetime.combine(day, _LAST_SECOND, INDIA)
