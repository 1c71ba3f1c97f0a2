"""Loan acceptance: the borrower confirms by an OTP (OCEN TriggerLoanAcceptance, VerifyLoanAcceptance).

OTP sessions run on protocol time: the borrower's five minutes are real ones.
"""

from dataclasses import replace
from typing import Final

from lender_app import wire
from lender_app.journey import lender
from lender_app.loan import AgreementState, Axis, Event, OtpResult
from lender_app.loan_status import derived_status
from lender_app.loans import Loan, find_loans, known_acceptance_states, loan_record
from lender_app.otp_session import (
    AcceptanceSession,
    OtpOutcome,
    SessionState,
    answer_session,
    masked_phone_number,
    open_session,
    sms_text,
    worst_acceptance_state,
)
from lender_app.policy import AcceptanceState, Policy
from lender_app.transitions import Refusal
from lender_app.wrong_otps import counted, is_guessed_at
from shared.node.rules import Moment, Notice, Record, Records, Reply
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem

OTP_SESSION: Final = "otp-session"

AGREEMENT_INITIATED: Final = "LOAN_AGREEMENT_INITIATED"
AGREEMENT_COMPLETED: Final = "LOAN_AGREEMENT_COMPLETED"


@lender.answers("TriggerLoanAcceptance")
def trigger_acceptance(asked: VerifiedMessage, records: Records, policy: Policy, now: Moment) -> Reply:
    """Refuse applications that cannot be accepted; otherwise open a session, send the SMS and answer with its key."""
    ids, sender = wire.applications_to_accept(asked), asked.sender.id
    found = worst_acceptance_state(ids, known_acceptance_states(records, sender, ids))
    if found is not AcceptanceState.ACCEPTED:
        is_unknown = found is AcceptanceState.UNKNOWN
        return Reply(Problem.UNKNOWN_REFERENCE if is_unknown else Problem.NOT_ALLOWED_NOW, found.value)
    if is_guessed_at(sender, ids, records, policy.acceptance):
        return Reply(Problem.NOT_ALLOWED_NOW, "too many wrong OTPs for it; take it up with the lender")
    otp = policy.draw_otp()
    session = open_session(
        key=policy.draw_id(),
        sender=sender,
        loan_application_ids=ids,
        otp=otp,
        secret=policy.secret,
        policy=policy.acceptance,
        now=now.protocol,
    )
    loans = [_with_otp_sent(loan, policy) for loan in find_loans(records, sender, ids)]
    phone = loans[0].masked_phone if loans else masked_phone_number(ids[0])
    text = sms_text(otp, policy.acceptance.otp_validity)
    return Reply(
        records=[_record_of(session), *map(loan_record, loans)],
        outgoing=[wire.trigger_response(asked, session.key, phone, AGREEMENT_INITIATED)],
        notices=[Notice(phone, asked.request_id, text, session.expires_at)],
    )


@lender.answers("VerifyLoanAcceptance")
def verify_acceptance(asked: VerifiedMessage, records: Records, policy: Policy, now: Moment) -> Reply:
    """Answer SUCCESS, INCORRECT_OTP or INVALID_SESSION; with SUCCESS the loan agreement is complete."""
    answer, sender = wire.entered_otp(asked), asked.sender.id
    session = _session_of(records.get(answer.session_key))
    if session is not None and is_guessed_at(sender, session.loan_application_ids, records, policy.acceptance):
        session = None  # like one that has been locked, also for the right OTP
    if session is not None and not _waits_for_otp(find_loans(records, sender, session.loan_application_ids)):
        session = None  # the application has ended, or is complete
    verdict, after = answer_session(
        session,
        sender=sender,
        otp=answer.otp,
        secret=policy.secret,
        loan_application_ids=answer.loan_application_ids,
    )
    loans = find_loans(
        records, sender, answer.loan_application_ids or (session.loan_application_ids if session else ())
    )
    changed = [] if after is None else [_record_of(after)]
    if verdict is OtpOutcome.SUCCESS:
        loans = [_completed(loan, policy) for loan in loans]
        changed += map(loan_record, loans)
    elif verdict is OtpOutcome.INCORRECT_OTP and after is not None:
        changed += counted(sender, after.loan_application_ids, records, policy.acceptance, now.protocol)
    status = _status(verdict, loans)
    return Reply(records=changed, outgoing=[wire.verify_response(asked, answer.session_key, verdict, status)])


def _with_otp_sent(loan: Loan, policy: Policy) -> Loan:
    """Move the agreement of a loan that counts as one whose offer was accepted (`Loan.acceptance_state`)."""
    if loan.milestones.agreement is AgreementState.NONE:
        loan = replace(loan, milestones=loan.milestones.moved(Axis.AGREEMENT, AgreementState.READY))
    moved = loan.move(Axis.AGREEMENT, Event.TRIGGER_LOAN_ACCEPTANCE, policy.figures, one_borrower=True, otp_left=True)
    return loan if isinstance(moved, Refusal) else moved[0]


def _waits_for_otp(loans: list[Loan]) -> bool:
    return all(loan.milestones.is_alive and loan.milestones.agreement is AgreementState.OTP_SENT for loan in loans)


def _completed(loan: Loan, policy: Policy) -> Loan:
    moved = loan.move(Axis.AGREEMENT, Event.VERIFY_LOAN_ACCEPTANCE, policy.figures, otp=OtpResult.RIGHT)
    return loan if isinstance(moved, Refusal) else moved[0]


def _status(verdict: OtpOutcome, loans: list[Loan]) -> str:
    """Return the status of the loan, in the words of 4.0; or what it would be if it had come in by message."""
    if loans:
        return derived_status(loans[0].milestones, "v4")
    return AGREEMENT_COMPLETED if verdict is OtpOutcome.SUCCESS else AGREEMENT_INITIATED


def _record_of(session: AcceptanceSession) -> Record:
    state = {
        "loanApplicationIds": list(session.loan_application_ids),
        "otpDigest": session.otp_digest,
        "triesLeft": session.tries_left,
        "state": session.state.value,
    }
    return Record(session.key, OTP_SESSION, session.sender, state, session.expires_at)


def _session_of(record: Record | None) -> AcceptanceSession | None:
    if record is None or record.kind != OTP_SESSION:
        return None
    assert record.expires_at is not None
    return AcceptanceSession(
        key=record.id,
        sender=record.participant,
        loan_application_ids=record.state["loanApplicationIds"],
        otp_digest=record.state["otpDigest"],
        expires_at=record.expires_at,
        tries_left=record.state["triesLeft"],
        state=SessionState(record.state["state"]),
    )
