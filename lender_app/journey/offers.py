"""Offers: the lender tells for which applications it would lend, and on what terms (OCEN GenerateOffers)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import TypeAdapter

from lender_app import wire
from lender_app.journey import lender
from lender_app.loan import Axis, Event, OfferState
from lender_app.loans import Loan, find_loans, loan_of, loan_record, loans_of
from lender_app.personas import answer_delay
from lender_app.policy import Policy
from lender_app.transitions import Refusal
from lender_app.underwriting import Declined, DeclineReason, DocumentAskedFor, OffersMade, underwrite
from lender_app.wire import AnswerTo
from shared.node.rules import Moment, Outgoing, Record, Records, Reply, Timer, TimerClock, all_of, find_records
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem

ENQUIRY: Final = "enquiry"


@dataclass(frozen=True, slots=True)
class Enquiry:
    """A GenerateOffersRequest that waits for underwriting: who is answered, and about which loans, by record id.

    `unknown` are ids that are not the sender's. Of one that was answered nothing is sent any more.
    """

    to: AnswerTo
    sender: str
    loans: Sequence[str]
    unknown: Sequence[str]
    is_answered: bool = False

    @property
    def record_id(self) -> str:
        """The id of its record."""
        return f"enquiry\n{self.sender}\n{self.to.request_id}"


_ENQUIRY: Final = TypeAdapter(Enquiry)


@lender.answers("GenerateOffers")
def generate_offers(asked: VerifiedMessage, records: Records, policy: Policy, now: Moment) -> Reply:
    """Price every application whose consent is READY; say of each other one why not."""
    ids, sender = wire.applications_to_price(asked), asked.sender.id
    found = find_loans(records, sender, ids)
    if not found:
        return Reply(Problem.UNKNOWN_REFERENCE, "no loanApplicationId is one of this sender")
    moved = [loan.move(Axis.OFFER, Event.GENERATE_OFFERS, policy.figures) for loan in found]
    unknown = [id_ for id_ in ids if id_ not in {loan.id for loan in found}]
    if not unknown and all(isinstance(outcome, Refusal) for outcome in moved):
        return Reply(Problem.NOT_ALLOWED_NOW, "no offers can be made now for any of these applications")
    enquiry = Enquiry(AnswerTo.of(asked), sender, [loan.record_id for loan in found], unknown)
    loans = [
        loan if isinstance(outcome, Refusal) else _asked_for(loan, outcome[0], enquiry)
        for loan, outcome in zip(found, moved, strict=True)
    ]
    if not any(map(_is_underwritten, loans)):
        return Reply(records=[loan_record(loan) for loan in loans], outgoing=[_answer(enquiry, loans, now)])
    begun = [
        Timer(f"underwriting\n{after.record_id}", "underwriting", now.business, {"loan": after.record_id})
        for before, after in zip(found, loans, strict=True)
        if _is_underwritten(after) and not _is_underwritten(before)
    ]
    at, data = now.protocol + policy.figures.offer_answer, {"enquiry": enquiry.record_id}
    patience = Timer(_patience(enquiry), "offer answer", at, data, TimerClock.PROTOCOL)
    return Reply(records=[_record(enquiry), *map(loan_record, loans)], timers=[patience, *begun])


@lender.when_due("underwriting")
def underwriting_done(due: Timer, records: Records, policy: Policy, now: Moment) -> Reply:
    """Decide, and answer the enquiries that wait for no other loan."""
    before = loan_of(records[due.data["loan"]])
    if not _is_underwritten(before):
        return Reply()
    decision = underwrite(before.credit_case, policy.figures, now.business)
    moved = before.move(Axis.OFFER, decision.event, policy.figures)
    assert not isinstance(moved, Refusal)
    asks_again = isinstance(decision, DocumentAskedFor)
    loan = replace(moved[0], decision=decision, document_round=before.document_round + asks_again, waiting=())
    answered = answer_enquiries(loan, before.waiting, records, now)
    if isinstance(decision, OffersMade):
        data = {"loan": loan.record_id, "round": loan.offer_round}
        validity = Timer(f"offer validity\n{loan.record_id}", "offer validity", decision.offers[0].expires_at, data)
        answered = all_of([answered, Reply(timers=[validity])])
    return all_of([Reply(records=[loan_record(loan)]), answered])


@lender.when_due("offer answer")
def decision_takes_long(due: Timer, records: Records, policy: Policy, now: Moment) -> Reply:
    """Answer that the lender is still deciding; the LSP learns the decision when it asks for offers again."""
    enquiry = _ENQUIRY.validate_python(records[due.data["enquiry"]].state)
    if enquiry.is_answered:
        return Reply()
    return _answered(enquiry, loans_of(records, enquiry.loans), now)


@lender.when_due("offer validity")
def offers_run_out(due: Timer, records: Records, policy: Policy, now: Moment) -> Reply:
    """Let the offers of this round expire; after the last round the application is rejected."""
    loan = loan_of(records[due.data["loan"]])
    moved = loan.move(Axis.OFFER, Event.OFFER_VALIDITY_OVER, policy.figures)
    if isinstance(moved, Refusal) or loan.offer_round != due.data["round"]:
        return Reply()
    return Reply(records=[loan_record(moved[0])])


def answer_enquiries(loan: Loan, waiting: Sequence[str], records: Records, now: Moment) -> Reply:
    """Answer the enquiries that waited for this loan, as it is now, and for no other any more."""
    replies = []
    for record in find_records(records, waiting):
        enquiry = None if record is None else _ENQUIRY.validate_python(record.state)
        if enquiry is None or enquiry.is_answered:
            continue
        loans = [loan if other.id == loan.id else other for other in loans_of(records, enquiry.loans)]
        if not any(map(_is_underwritten, loans)):
            replies.append(_answered(enquiry, loans, now))
    return all_of(replies)


def _asked_for(before: Loan, after: Loan, enquiry: Enquiry) -> Loan:
    """Note on a loan that an enquiry waits for it, and that a new round begins; or that consents are used up."""
    if _is_underwritten(after):
        is_new = not _is_underwritten(before)
        return replace(after, waiting=[*after.waiting, enquiry.record_id], offer_round=after.offer_round + is_new)
    if after.milestones.offer is OfferState.REJECTED and before.milestones.offer is not OfferState.REJECTED:
        return replace(after, decision=Declined(DeclineReason.AA_FAILED, "The borrower has refused his consent."))
    return after


def _answered(enquiry: Enquiry, loans: Sequence[Loan], now: Moment) -> Reply:
    records = [_record(replace(enquiry, is_answered=True))]
    return Reply(records=records, outgoing=[_answer(enquiry, loans, now)], cancelled=[_patience(enquiry)])


def _answer(enquiry: Enquiry, loans: Sequence[Loan], now: Moment) -> Outgoing:
    delay = max(answer_delay(loan.primary_id) for loan in loans)
    return wire.offers_response(enquiry.to, loans, enquiry.unknown, now.business + delay)


def _is_underwritten(loan: Loan) -> bool:
    return loan.milestones.offer is OfferState.UNDERWRITING


def _patience(enquiry: Enquiry) -> str:
    return f"offer answer\n{enquiry.record_id}"


def _record(enquiry: Enquiry) -> Record:
    return Record(enquiry.record_id, ENQUIRY, enquiry.sender, _ENQUIRY.dump_python(enquiry, mode="json"))
