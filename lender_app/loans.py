"""Loans as records: what the lender remembers of each application, from its creation on, and how it moves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter

from lender_app.applications import ApplicationForm, masked
from lender_app.lending import LendingFigures
from lender_app.loan import (
    AgreementState,
    Axis,
    ConsentState,
    Event,
    Facts,
    IntakeState,
    Milestones,
    OfferState,
)
from lender_app.personas import Persona, persona_of
from lender_app.policy import AcceptanceState
from lender_app.pricing import LoanOffer, LoanTerm, TermUnit
from lender_app.transitions import Refusal, Step, advance
from lender_app.underwriting import CreditCase, CreditDecision, OffersMade
from shared.node.rules import Record, Records, find_records

LOAN: Final = "loan-application"
APPLICATION_ID: Final = "loan-application-id"
"""Kind of a second record, under the id alone: that somebody has an application of that id."""


@dataclass(frozen=True, slots=True)
class Loan:
    """One application of one sender.

    Attributes:
        id: loanApplicationId, which the sender has given; `sender` and it name the loan.
        version: in which OCEN it was applied for.
        fingerprint: of the application as it came, to know it again.
        primary_id: the borrower's.
        masked_phone: where the OTP goes.
        amount: asked for, in rupees.
        text_in_offer: the text of the agreement comes with the offer.
        consent_round, offer_round, document_round: how often consents and offers were begun, documents asked for.
        consent_handle, monitoring_handle: of the consents that count; one that was replaced is void.
        decision: what underwriting has decided last.
        waiting: record ids of the enquiries that wait for underwriting.
    """

    id: str
    sender: str
    version: str
    milestones: Milestones
    masked_phone: str
    fingerprint: str = ""
    primary_id: str = ""
    amount: Decimal = Decimal(0)
    term: LoanTerm | None = None
    loan_type: str | None = None
    text_in_offer: bool = False
    consent_round: int = 0
    offer_round: int = 0
    document_round: int = 0
    consent_handle: str = ""
    monitoring_handle: str = ""
    decision: CreditDecision | None = None
    waiting: Sequence[str] = ()

    @property
    def record_id(self) -> str:
        """The id of its record. No id holds a line break, so no two loans have the same."""
        return record_id(self.sender, self.id)

    @property
    def persona(self) -> Persona:
        """The story of its borrower."""
        return persona_of(self.primary_id)

    @property
    def offers(self) -> Sequence[LoanOffer]:
        """The offers that were made last."""
        return self.decision.offers if isinstance(self.decision, OffersMade) else ()

    @property
    def credit_case(self) -> CreditCase:
        """What underwriting looks at."""
        return CreditCase(
            key=self.record_id,
            persona=self.persona,
            amount=self.amount,
            term=self.term,
            loan_type=self.loan_type,
            offer_round=self.offer_round,
            document_round=self.document_round,
        )

    @property
    def acceptance_state(self) -> AcceptanceState:
        """Whether an LSP may ask to have it accepted.

        As long as SetOffer is not among the messages taken, any that lives counts as one whose offer was accepted.
        """
        is_complete = self.milestones.agreement is AgreementState.COMPLETED
        return AcceptanceState.ACCEPTED if self.milestones.is_alive and not is_complete else AcceptanceState.CLOSED

    def move(
        self, axis: Axis, event: Event, figures: LendingFigures, **facts: Any
    ) -> "tuple[Loan, Sequence[Step]] | Refusal":
        """Take the steps of an event; `facts` are those that the loan does not know by itself."""
        known = Facts(
            milestones=self.milestones,
            consent_round_left=self.consent_round < figures.consent_rounds,
            offer_round_left=self.offer_round < figures.offer_rounds,
            text_in_offer=self.text_in_offer,
        )
        taken = advance(axis, event, replace(known, **facts))
        return taken if isinstance(taken, Refusal) else (replace(self, milestones=taken[0]), taken[1])


_LOAN: Final = TypeAdapter(Loan)


def new_loan(form: ApplicationForm, sender: str, version: str, fingerprint: str) -> Loan:
    """Return the loan of an application that has just come, before anything was decided."""
    consent = ConsentState.NONE if form.needs_consent else ConsentState.NOT_NEEDED
    days = form.days
    term = None if days is None else LoanTerm(int(days), TermUnit.DAY)
    if days is not None and days % 30 == 0:
        term = LoanTerm(int(days // 30), TermUnit.MONTH)
    return Loan(
        id=form.id,
        sender=sender,
        version=version,
        milestones=Milestones(consent=consent),
        masked_phone=masked(form.borrower.phone),
        fingerprint=fingerprint,
        primary_id=form.borrower.number,
        amount=form.amount,
        term=term,
        loan_type=form.loan_type,
        text_in_offer=form.text_in_offer,
    )


def record_id(sender: str, loan_application_id: str) -> str:
    """Return the id of a loan's record."""
    return f"application\n{sender}\n{loan_application_id}"


def loan_of(record: Record) -> Loan:
    """Read a loan from its record."""
    return _of_former_release(record) if "status" in record.state else _LOAN.validate_python(record.state)


def loan_record(loan: Loan) -> Record:
    """Write a loan as its record."""
    return Record(loan.record_id, LOAN, loan.sender, _LOAN.dump_python(loan, mode="json"))


def new_loan_records(loan: Loan) -> tuple[Record, Record]:
    """Write a new loan as its record, and that its id is taken."""
    return loan_record(loan), Record(_taken(loan.id), APPLICATION_ID, loan.sender, {})


def find_loans(records: Records, sender: str, ids: Sequence[str]) -> list[Loan]:
    """Return those of the sender's loans that came in by message, in the order of their ids."""
    return loans_of(records, [record_id(sender, id_) for id_ in ids])


def loans_of(records: Records, record_ids: Iterable[str]) -> list[Loan]:
    """Return the loans of these record ids, as far as they are there."""
    return [loan_of(record) for record in find_records(records, record_ids) if record is not None]


def known_acceptance_states(records: Records, sender: str, ids: Sequence[str]) -> dict[str, AcceptanceState]:
    """Return the acceptance state of the loans that came in by message, by id.

    One that only another sender has created is UNKNOWN, as if there were none.
    """
    find_records(records, [*(record_id(sender, id_) for id_ in ids), *map(_taken, ids)])
    known = {loan.id: loan.acceptance_state for loan in find_loans(records, sender, ids)}
    return {id_: AcceptanceState.UNKNOWN for id_ in ids if _taken(id_) in records} | known


def _taken(loan_application_id: str) -> str:
    return f"application id\n{loan_application_id}"


def _of_former_release(record: Record) -> Loan:
    """Read what releases without milestones wrote: a status of 4.0 and the masked phone number."""
    status = record.state["status"]
    agreement = {
        "LOAN_AGREEMENT_INITIATED": AgreementState.OTP_SENT,
        "LOAN_AGREEMENT_COMPLETED": AgreementState.COMPLETED,
    }.get(status, AgreementState.NONE)
    intake = IntakeState.REJECTED if status == "REJECTED" else IntakeState.OPEN
    offer = OfferState.NONE if agreement is AgreementState.NONE else OfferState.ACCEPTED
    milestones = Milestones(intake=intake, consent=ConsentState.NOT_NEEDED, offer=offer, agreement=agreement)
    return Loan(
        record.state["loanApplicationId"], record.participant, "v4", milestones, record.state["maskedPhoneNumber"]
    )
