"""Consent: the borrower lets the lender fetch data through an Account Aggregator (OCEN ConsentHandle, ConsentStatus).

The Account Aggregator's answers come later, so each is a timer; so is each time limit for one. Only its answers move a
consent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter

from lender_app import wire
from lender_app.account_aggregator import consent_handle, facts_of_consent
from lender_app.journey import lender
from lender_app.loan import Axis, ConsentState, Event
from lender_app.loans import Loan, find_loans, loan_record, loans_of
from lender_app.policy import Policy
from lender_app.transitions import Answer, Refusal, Step
from lender_app.wire import AnswerTo
from shared.node.rules import Moment, Outgoing, Record, Records, Reply, Timer, TimerClock
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem

CONSENT: Final = "consent"


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent: for the loans of which records, and the request that waits for its handle, None once answered."""

    handle: str
    sender: str
    is_monitoring: bool
    loans: Sequence[str]
    waits: AnswerTo | None

    @property
    def axis(self) -> Axis:
        """The milestone that it moves."""
        return Axis.MONITORING if self.is_monitoring else Axis.CONSENT

    @property
    def record_id(self) -> str:
        """The id of its record."""
        return f"consent\n{self.handle}"

    def counts_for(self, loan: Loan) -> bool:
        """Tell whether it is the consent of the loan; a later one makes it void."""
        return self.handle == (loan.monitoring_handle if self.is_monitoring else loan.consent_handle)


_CONSENT: Final = TypeAdapter(Consent)


@lender.answers("ConsentHandle")
def ask_for_consent(asked: VerifiedMessage, records: Records, policy: Policy, now: Moment) -> Reply:
    """Ask the Account Aggregator for a consent of one borrower; its handle is the callback."""
    ids, is_monitoring = wire.consent_asked_for(asked)
    found = find_loans(records, asked.sender.id, ids)
    if len(found) < len(set(ids)):
        return Reply(Problem.UNKNOWN_REFERENCE, "a loanApplicationId is not one of this sender")
    axis, is_one = (Axis.MONITORING if is_monitoring else Axis.CONSENT), len({loan.primary_id for loan in found}) == 1
    moved = [loan.move(axis, Event.CONSENT_HANDLE, policy.figures, one_borrower=is_one) for loan in found]
    changed = [outcome[0] for outcome in moved if not isinstance(outcome, Refusal)]
    if len(changed) < len(moved):
        return Reply(Problem.NOT_ALLOWED_NOW, "no consent of one borrower can be asked for now for all of these")
    attempt = max(loan.consent_round for loan in changed) + 1
    keys = tuple(loan.record_id for loan in changed)
    # Made of the requestId too: the lender may be asked for a periodic consent more than once.
    handle = consent_handle((*keys, asked.request_id), attempt=attempt, is_monitoring=is_monitoring)
    consent = Consent(handle, asked.sender.id, is_monitoring, keys, AnswerTo.of(asked))
    facts = facts_of_consent(changed[0].persona, attempt=attempt, is_monitoring=is_monitoring, now=now.business)
    patience = _timer(consent, Event.AA_ANSWER_DUE, now.protocol + policy.figures.aa_answer, TimerClock.PROTOCOL)
    return Reply(
        records=[_record(consent), *(loan_record(_with_handle(loan, consent)) for loan in changed)],
        timers=[patience, *(_timer(consent, fact.event, fact.due_at) for fact in facts)],
    )


@lender.when_due("aggregator")
def aggregator_tells(due: Timer, records: Records, policy: Policy, now: Moment) -> Reply:
    """Move the loans whose consent it is by what the Account Aggregator tells, or by its silence."""
    consent, event = _CONSENT.validate_python(records[due.data["consent"]].state), Event(due.data["event"])
    changed, answers = [], []
    for loan in loans_of(records, consent.loans):
        moved = loan.move(consent.axis, event, policy.figures) if consent.counts_for(loan) else None
        if moved is not None and not isinstance(moved, Refusal):
            changed.append(loan_record(moved[0]))
            answers += [_answer(consent, step) for step in moved[1] if consent.waits and _is_told(event, step)]
    outgoing = [answer for answer in answers if answer is not None][:1]
    further = [_timer(consent, Event.CONSENT_LIFE_OVER, now.business + policy.figures.consent_life)]
    return Reply(
        records=[*changed, *([_record(replace(consent, waits=None))] if outgoing else [])],
        outgoing=outgoing,
        timers=further if event is Event.AA_HANDLE else [],
        cancelled=[_timer_id(consent, Event.AA_ANSWER_DUE)] if outgoing else [],
    )


@lender.answers("ConsentStatus")
def tell_consent_status(asked: VerifiedMessage, records: Records, policy: Policy, now: Moment) -> Reply:
    """Tell how far the consent has come by now; one that was replaced for all of its loans has FAILED."""
    handle = wire.consent_handle_of(asked)
    record = records.get(f"consent\n{handle}")
    if record is None or record.participant != asked.sender.id:
        return Reply(Problem.UNKNOWN_REFERENCE, "the consentHandle is not one of this sender")
    consent = _CONSENT.validate_python(record.state)
    loan = next((loan for loan in loans_of(records, consent.loans) if consent.counts_for(loan)), None)
    if loan is None:
        return Reply(outgoing=[wire.consent_status_response(asked, handle, ConsentState.FAILED)])
    moved = loan.move(consent.axis, Event.CONSENT_STATUS, policy.figures)
    if isinstance(moved, Refusal):
        return Reply(moved.problem, "no handle has been given yet")
    state = ConsentState(loan.milestones.state_of(consent.axis))
    return Reply(outgoing=[wire.consent_status_response(asked, handle, state)])


def answer_waiting_consent(loan: Loan, records: Records) -> Reply:
    """Answer with an error the request, if there is one, that waits for the handle of an application that has ended."""
    record = records.get(f"consent\n{loan.consent_handle}") if loan.consent_handle else None
    consent = None if record is None else _CONSENT.validate_python(record.state)
    if consent is None or consent.waits is None:
        return Reply()
    answer = wire.error_response(consent.waits, Problem.NOT_ALLOWED_NOW.code, {"consent": {}})
    return Reply(records=[_record(replace(consent, waits=None))], outgoing=[answer])


def _is_told(event: Event, step: Step) -> bool:
    return event is Event.AA_HANDLE or step.edge.answer is Answer.ERROR


def _answer(consent: Consent, step: Step) -> Outgoing | None:
    if consent.waits is None:
        return None
    code = step.edge.code
    if isinstance(code, Problem):
        return wire.error_response(consent.waits, code.code, {"consent": {}})
    return wire.consent_handle_response(consent.waits, consent.handle)


def _with_handle(loan: Loan, consent: Consent) -> Loan:
    if consent.is_monitoring:
        return replace(loan, monitoring_handle=consent.handle)
    return replace(loan, consent_handle=consent.handle, consent_round=loan.consent_round + 1)


def _record(consent: Consent) -> Record:
    return Record(consent.record_id, CONSENT, consent.sender, _CONSENT.dump_python(consent, mode="json"))


def _timer_id(consent: Consent, event: Event) -> str:
    return f"aggregator\n{consent.handle}\n{event.value}"


def _timer(consent: Consent, event: Event, at: datetime, clock: TimerClock = TimerClock.BUSINESS) -> Timer:
    data = {"consent": consent.record_id, "event": event.value}
    return Timer(_timer_id(consent, event), "aggregator", at, data, clock)
