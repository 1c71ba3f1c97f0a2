"""The lender's rules of loan applications: pure functions from what is asked to what is decided.

OCEN, CreateLoanApplications. No HTTP, no SQL, no JSON, and no version of OCEN.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum

from lender_app.invoices import invoices_in, objections_to
from lender_app.lending import INDIA, LendingFigures
from lender_app.policy import LendingPolicy


class RejectionReason(Enum):
    """Why an application is rejected: code and meaning. Codes above CLARQ1005 are ours, the others OCEN's."""

    LOAN_TYPE = ("CLARQ1001", "The loan type is not supported.")
    CREATED_LATER = ("CLARQ1002", "The creation date is in the future.")
    AMOUNT_EXCEEDS = ("CLARQ1003", "The amount exceeds the limit.")
    BORROWER_DATA = ("CLARQ1005", "The borrower data are corrupted.")
    AMOUNT_TOO_SMALL = ("CLARQ1006", "The amount is below the least that is lent.")
    CURRENCY = ("CLARQ1007", "The currency is not supported.")
    TENURE = ("CLARQ1008", "The tenure is not supported.")
    INVOICE = ("CLARQ1009", "The invoice is not one that is lent on.")

    def __init__(self, code: str, meaning: str) -> None:
        self.code = code
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class Rejection:
    """One reason for which an application is rejected, and what was found and expected. It quotes no personal data."""

    reason: RejectionReason
    detail: str

    def __str__(self) -> str:
        """Write it for people."""
        return f"{self.reason.code} {self.reason.meaning} {self.detail}"


class IdKind(StrEnum):
    """What kind of number a borrower is known by."""

    PAN = "PAN"
    MOBILE = "MOBILE"
    AADHAAR = "AADHAAR"


_MOBILE = re.compile(r"(\+91)?[6-9]\d{9}", re.ASCII)
_SHAPES = {
    IdKind.PAN: re.compile(r"[A-Z]{5}\d{4}[A-Z]", re.ASCII),
    IdKind.MOBILE: _MOBILE,
    IdKind.AADHAAR: re.compile(r"[2-9]\d{11}", re.ASCII),
}


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks for the loan; `phone` is that of the primary contact, where the OTP goes."""

    kind: IdKind
    number: str
    name: str
    phone: str


@dataclass(frozen=True, slots=True)
class ApplicationForm:
    """An application as it is asked for.

    `created_at` is aware; `amount` is in `currency`; `days` is the tenure, None if left to the lender.
    `invoice_documents` are those of the GST network, as they came. `needs_consent`:
    the lender decides on data of an Account Aggregator. `text_in_offer`: the agreement's text comes with the offer.
    """

    id: str
    created_at: datetime
    amount: Decimal
    currency: str
    days: Decimal | None
    loan_type: str | None
    borrower: Applicant
    invoice_documents: Sequence[str] = ()
    needs_consent: bool = True
    text_in_offer: bool = True


def judge(form: ApplicationForm, policy: LendingPolicy, figures: LendingFigures, now: datetime) -> Sequence[Rejection]:
    """Return every reason against an application; with none it is processed. `now` is protocol time."""
    found = [
        *(Rejection(RejectionReason.BORROWER_DATA, error) for error in borrower_errors(form.borrower)),
        *_against_date_and_type(form, policy, now),
        *_against_terms(form, policy),
        *(Rejection(RejectionReason.INVOICE, objection) for objection in _objections(form, figures, now)),
    ]
    return tuple(found)


def borrower_errors(borrower: Applicant) -> list[str]:
    """Say what is wrong with the data of a borrower, without quoting any of it."""
    errors = []
    if not borrower.name.strip():
        errors.append("borrower.name is missing.")
    if not _SHAPES[borrower.kind].fullmatch(borrower.number):
        errors.append(f"borrower.primaryId is no {borrower.kind}.")
    if not _MOBILE.fullmatch(borrower.phone):
        errors.append("borrower.contactDetails: the PRIMARY contact has no Indian mobile number.")
    return errors


def masked(phone: str) -> str:
    """Return a phone number as OCEN shows it: its last three digits."""
    return f"XXXXXXX{phone[-3:]}"


def _against_date_and_type(form: ApplicationForm, policy: LendingPolicy, now: datetime) -> list[Rejection]:
    found = []
    if form.created_at > now + policy.clock_tolerance:
        found.append(Rejection(RejectionReason.CREATED_LATER, f"createdDate is later than {now:%Y-%m-%dT%H:%M:%SZ}."))
    if form.loan_type is not None and form.loan_type not in policy.loan_types:
        offered = ", ".join(sorted(policy.loan_types))
        found.append(Rejection(RejectionReason.LOAN_TYPE, f"loanType is none of {offered}."))
    return found


def _against_terms(form: ApplicationForm, policy: LendingPolicy) -> list[Rejection]:
    if form.currency != policy.currency:  # then neither limit can be compared
        return [Rejection(RejectionReason.CURRENCY, f"currency is not {policy.currency}.")]
    found = []
    if form.amount > policy.most:
        detail = f"requestedAmount {form.amount} is more than {policy.currency} {policy.most}."
        found.append(Rejection(RejectionReason.AMOUNT_EXCEEDS, detail))
    if form.amount < policy.least:
        detail = f"requestedAmount {form.amount} is less than {policy.currency} {policy.least}."
        found.append(Rejection(RejectionReason.AMOUNT_TOO_SMALL, detail))
    if form.days is not None and not policy.shortest <= form.days <= policy.longest:
        detail = f"tenure of {form.days} days is not between {policy.shortest} and {policy.longest}."
        found.append(Rejection(RejectionReason.TENURE, detail))
    return found


def _objections(form: ApplicationForm, figures: LendingFigures, now: datetime) -> list[str]:
    tenure, today = timedelta(days=float(min(form.days or 0, timedelta.max.days))), now.astimezone(INDIA).date()
    found: list[str] = []
    for document in form.invoice_documents:
        try:
            invoices = invoices_in(document)
        except ValueError as error:
            found.append(f"{str(error).capitalize()}.")
            continue
        for invoice in invoices:
            found += objections_to(invoice, amount=form.amount, tenure=tenure, figures=figures, today=today)
    return found
