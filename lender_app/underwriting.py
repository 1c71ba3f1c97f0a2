"""Underwriting: whether the lender would lend, and on what terms. Pure: the same case has the same offers and ids.

OCEN, GenerateOffers, says what an offer consists of and nothing of how it comes about.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final

from lender_app.account_aggregator import gives_data
from lender_app.lending import LendingFigures, end_of_working_day
from lender_app.loan import Event
from lender_app.personas import Persona
from lender_app.pricing import LoanOffer, LoanTerm, TermUnit, priced

MISSING_DOCUMENT: Final = "GST-PROFILE"
"""The reference of the document that is asked of a borrower whose story that is."""

_RIGHT_TYPES: Final = frozenset({"GST_PROFILE", "GSTN_PROFILE"})
"""The type that it must have; a v3 sample spells it the second way."""


@dataclass(frozen=True, slots=True)
class GivenDocument:
    """A document of the application, as far as underwriting looks at it."""

    reference: str
    type: str


@dataclass(frozen=True, slots=True)
class CreditCase:
    """What is decided on.

    Attributes:
        key: names the application among all of this lender; the ids of offers are made from it.
        amount: what is asked for, in rupees on the paisa.
        term: for how long; None leaves it to the lender.
        offer_round: how often offers have been made with this one, from 1.
        document_round: how often documents have been asked for up to now.
    """

    key: str
    persona: Persona
    amount: Decimal
    term: LoanTerm | None
    loan_type: str | None = None
    documents: tuple[GivenDocument, ...] = ()
    offer_round: int = 1
    document_round: int = 0


class DeclineReason(StrEnum):
    """Why the lender would not lend (OCEN 4.0 RejectionDetail.reason; v3 has no AA_FAILED and says OTHERS)."""

    LOW_CREDIT_SCORE = "LOW_CREDIT_SCORE"
    FRAUD = "FRAUD"
    DOC_IRREGULARITIES = "DOC_IRREGULARITIES"
    OTHERS = "OTHERS"
    AA_FAILED = "AA_FAILED"


@dataclass(frozen=True, slots=True)
class OffersMade:
    """The lender would lend, on any of these terms."""

    event: ClassVar[Event] = Event.UNDERWRITING_OFFERS
    offers: tuple[LoanOffer, ...]


@dataclass(frozen=True, slots=True)
class DocumentAskedFor:
    """The lender decides when it has this document; `again`: what was sent under its reference is another one."""

    event: ClassVar[Event] = Event.UNDERWRITING_ACTION_REQUIRED
    reference: str
    again: bool
    description: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The lender would not lend."""

    event: ClassVar[Event] = Event.UNDERWRITING_REJECTED
    reason: DeclineReason
    description: str


CreditDecision = OffersMade | DocumentAskedFor | Declined

_DECLINED: Final = {
    Persona.LOW_CREDIT_SCORE: Declined(DeclineReason.LOW_CREDIT_SCORE, "The credit score is below 600."),
    Persona.FRAUD: Declined(DeclineReason.FRAUD, "The application is on a list of frauds."),
}
_NO_DATA: Final = Declined(DeclineReason.AA_FAILED, "The Account Aggregator has delivered no data.")
_NO_DOCUMENT: Final = Declined(DeclineReason.DOC_IRREGULARITIES, f"{MISSING_DOCUMENT} was asked for too often.")


def underwrite(case: CreditCase, figures: LendingFigures, now: datetime) -> CreditDecision:
    """Decide on an application whose data are here; `now` is aware, in business time."""
    if case.persona in _DECLINED:
        return _DECLINED[case.persona]
    if not gives_data(case.persona):
        return _NO_DATA
    if case.persona is Persona.DOCUMENT_MISSING:
        asked = _missing_document(case, figures)
        if asked is not None:
            return asked
    return OffersMade(_offers(case, figures, now))


def _missing_document(case: CreditCase, figures: LendingFigures) -> DocumentAskedFor | Declined | None:
    types = {document.type for document in case.documents if document.reference == MISSING_DOCUMENT}
    if types & _RIGHT_TYPES:
        return None
    if case.document_round >= figures.document_rounds:
        return _NO_DOCUMENT
    what = f"A document of type GST_PROFILE with the reference {MISSING_DOCUMENT} is needed"
    return DocumentAskedFor(MISSING_DOCUMENT, bool(types), f"{what}; another type came." if types else f"{what}.")


def _offers(case: CreditCase, figures: LendingFigures, now: datetime) -> tuple[LoanOffer, ...]:
    """Offer what is asked for and, where there are instalments, half the time at a lower rate."""
    rate, term = figures.rate_of(case.loan_type), case.term or LoanTerm(figures.months, TermUnit.MONTH)
    wanted = [(term, rate)]
    if term.unit is TermUnit.MONTH and term.count > 1:
        wanted.append((LoanTerm((term.count + 1) // 2, TermUnit.MONTH), rate - figures.shorter_discount))
    valid_till = end_of_working_day(now, figures.offer_working_days)
    names = [f"{case.key}\n{case.offer_round}\n{number}" for number in range(1, len(wanted) + 1)]
    return tuple(
        priced(name, amount=case.amount, term=term, rate=rate, figures=figures, valid_till=valid_till)
        for name, (term, rate) in zip(names, wanted, strict=True)
    )
