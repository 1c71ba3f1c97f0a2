"""Loan acceptance as a journey: binds the lender's rules to the messages that begin and end it.

What version of OCEN carries them, the speech knows that each rule is given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lender_app.application_journey import (
    application_key,
    application_keys,
    application_of,
    journey_of,
    known_standings,
)
from lender_app.applications import ApplicationRecord, ApplicationStatus, agreed
from lender_app.policy import AcceptancePolicy, ApplicationStanding
from lender_app.rules import (
    AcceptanceSession,
    OtpOutcome,
    SessionState,
    answer_session,
    applications_standing,
    masked_phone_number,
    open_session,
    sms_text,
)
from lender_app.speech import AcceptanceSpeech, OtpJudged, SessionOpened
from lender_app.wrong_otps import counted, is_guessed_at, wrong_otps_keys
from shared.node.journeys import Decision, Journey, Notice, Rule
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem

OTP_SESSION = "otp-session"

_REFUSED = {
    ApplicationStanding.UNKNOWN: Problem.UNKNOWN_REFERENCE,
    ApplicationStanding.NOT_ACCEPTED: Problem.NOT_ALLOWED_NOW,
    ApplicationStanding.CLOSED: Problem.NOT_ALLOWED_NOW,
}


@dataclass(frozen=True, slots=True)
class TriggerAcceptance(Rule):
    """TriggerLoanAcceptanceRequest: open an OTP session, send the SMS, answer with the session's key."""

    speech: AcceptanceSpeech
    policy: AcceptancePolicy
    secret: bytes
    draw_otp: Callable[[], str]
    draw_key: Callable[[], str]

    def journey_keys(self, message: VerifiedMessage) -> Sequence[str]:
        """Need the wrong OTPs of the applications, and these themselves where the lender can know them."""
        ids, sender = self.speech.wanted(message), message.sender.organisation_id
        known = application_keys(sender, ids) if self.speech.knows_applications else []
        return known + wrong_otps_keys(sender, ids)

    def decide(self, message: VerifiedMessage, journeys: Mapping[str, Journey], now: datetime) -> Decision:
        """Refuse applications that cannot be accepted; otherwise open a session."""
        ids, sender = self.speech.wanted(message), message.sender.organisation_id
        found = applications_standing(ids, known_standings(sender, ids, journeys))
        if found is not ApplicationStanding.ACCEPTED:
            return Decision(_REFUSED[found], found.value)
        if is_guessed_at(sender, ids, journeys, self.policy):
            return Decision(Problem.NOT_ALLOWED_NOW, "too many wrong OTPs for it; take it up with the lender")
        otp = self.draw_otp()
        session = open_session(
            key=self.draw_key(),
            sender=sender,
            loan_application_ids=ids,
            otp=otp,
            secret=self.secret,
            policy=self.policy,
            now=now,
        )
        applications = _applications(sender, ids, journeys)
        phone = applications[0].masked_phone if applications else masked_phone_number(ids[0])
        text = sms_text(otp, self.policy.otp_validity)
        return Decision(
            journeys=[_journey(session), *(journey_of(agreed(one, is_complete=False)) for one in applications)],
            outgoing=[self.speech.opened(message, SessionOpened(session.key, phone))],
            notices=[Notice(phone, message.request_id, text, session.expires_at)],
        )


@dataclass(frozen=True, slots=True)
class VerifyAcceptance(Rule):
    """VerifyLoanAcceptanceRequest: judge the borrower's OTP and answer with the verdict."""

    speech: AcceptanceSpeech
    policy: AcceptancePolicy
    secret: bytes

    def journey_keys(self, message: VerifiedMessage) -> Sequence[str]:
        """Need the OTP session that the message names, and the applications that it names, if any."""
        answer, sender = self.speech.answer(message), message.sender.organisation_id
        return answer.session_key, *(application_key(sender, one) for one in answer.loan_application_ids)

    def further_keys(self, message: VerifiedMessage, journeys: Mapping[str, Journey]) -> Sequence[str]:
        """Need the wrong OTPs of all applications of the session: the message may name some of them, or none."""
        session = _session(journeys.get(self.speech.answer(message).session_key))
        return wrong_otps_keys(message.sender.organisation_id, session.loan_application_ids) if session else ()

    def decide(self, message: VerifiedMessage, journeys: Mapping[str, Journey], now: datetime) -> Decision:
        """Answer SUCCESS, INCORRECT_OTP or INVALID_SESSION; with SUCCESS the loan agreement is complete."""
        answer, sender = self.speech.answer(message), message.sender.organisation_id
        session = _session(journeys.get(answer.session_key))
        if session is not None and is_guessed_at(sender, session.loan_application_ids, journeys, self.policy):
            session = None  # like one that has been locked, also for the right OTP
        verdict, after = answer_session(
            session,
            sender=sender,
            otp=answer.otp,
            secret=self.secret,
            loan_application_ids=answer.loan_application_ids,
        )
        applications = _applications(sender, answer.loan_application_ids, journeys)
        if verdict is OtpOutcome.SUCCESS:
            applications = [agreed(one, is_complete=True) for one in applications]
        outcome = OtpJudged(answer.session_key, verdict, _status(verdict, applications))
        changed = _changed(after)
        if verdict is OtpOutcome.SUCCESS:
            changed += [journey_of(one) for one in applications]
        elif verdict is OtpOutcome.INCORRECT_OTP and after is not None:
            changed += counted(sender, after.loan_application_ids, journeys, self.policy, now)
        return Decision(
            journeys=changed,
            outgoing=[self.speech.judged(message, outcome)],
        )


def _applications(sender: str, ids: Sequence[str], journeys: Mapping[str, Journey]) -> list[ApplicationRecord]:
    found = (application_of(journeys.get(application_key(sender, one))) for one in ids)
    return [one for one in found if one is not None]


def _status(verdict: OtpOutcome, applications: Sequence[ApplicationRecord]) -> ApplicationStatus:
    """Return the status of the application that was named, or what it would be if it had come in by message."""
    if applications:
        return applications[0].status
    is_complete = verdict is OtpOutcome.SUCCESS
    return ApplicationStatus.AGREEMENT_COMPLETED if is_complete else ApplicationStatus.AGREEMENT_INITIATED


def _changed(session: AcceptanceSession | None) -> list[Journey]:
    return [_journey(session)] if session is not None else []


def _journey(session: AcceptanceSession) -> Journey:
    state = {
        "loanApplicationIds": list(session.loan_application_ids),
        "otpDigest": session.otp_digest,
        "triesLeft": session.tries_left,
        "state": session.state.value,
    }
    return Journey(session.key, OTP_SESSION, session.sender, state, session.expires_at)


def _session(journey: Journey | None) -> AcceptanceSession | None:
    if journey is None or journey.kind != OTP_SESSION:
        return None
    return AcceptanceSession(
        key=journey.key,
        sender=journey.participant,
        loan_application_ids=journey.state["loanApplicationIds"],
        otp_digest=journey.state["otpDigest"],
        expires_at=journey.expires_at,
        tries_left=journey.state["triesLeft"],
        state=SessionState(journey.state["state"]),
    )
