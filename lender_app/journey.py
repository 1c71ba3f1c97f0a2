"""Loan acceptance as a journey: binds the lender's rules to the messages that begin and end it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from lender_app.policy import AcceptancePolicy, ApplicationStanding
from lender_app.rules import (
    OtpSession,
    SessionState,
    answer_session,
    applications_standing,
    masked_phone_number,
    open_session,
    sms_text,
)
from shared.catalogue.v3.loan_acceptance import TriggerLoanAcceptanceRequest, VerifyLoanAcceptanceRequest
from shared.node.journeys import Decision, Journey, Notice, Outgoing
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.verification import VerifiedMessage

OTP_SESSION = "otp-session"

_REFUSED = {
    ApplicationStanding.UNKNOWN: Problem.UNKNOWN_REFERENCE,
    ApplicationStanding.NOT_ACCEPTED: Problem.NOT_ALLOWED_NOW,
}


@dataclass(frozen=True, slots=True)
class TriggerAcceptance:
    """TriggerLoanAcceptanceRequest: open an OTP session, send the SMS, answer with the session's key."""

    policy: AcceptancePolicy
    secret: bytes
    draw_otp: Callable[[], str]
    draw_key: Callable[[], str]

    def journey_keys(self, message: VerifiedMessage) -> Sequence[str]:
        """Need no journey: each request begins one."""
        return ()

    def decide(self, message: VerifiedMessage, journeys: Mapping[str, Journey], now: datetime) -> Decision:
        """Refuse applications that cannot be accepted; otherwise open a session."""
        ids = cast("TriggerLoanAcceptanceRequest", message.content).loan_application_ids
        found = applications_standing(ids)
        if found is not ApplicationStanding.ACCEPTED:
            return Decision(_REFUSED[found], found.value)
        otp, sender = self.draw_otp(), message.sender.organisation_id
        session = open_session(
            key=self.draw_key(),
            sender=sender,
            loan_application_ids=ids,
            otp=otp,
            secret=self.secret,
            policy=self.policy,
            now=now,
        )
        phone = masked_phone_number(ids[0])
        text = sms_text(otp, self.policy.otp_validity)
        return Decision(
            journeys=[_journey(session)],
            outgoing=[
                _answer(
                    message,
                    "TriggerLoanAcceptanceResponse",
                    {"otpSessionKey": session.key, "maskedPhoneNumber": phone},
                )
            ],
            notices=[Notice(phone, message.request_id, text, session.expires_at)],
        )


@dataclass(frozen=True, slots=True)
class VerifyAcceptance:
    """VerifyLoanAcceptanceRequest: judge the borrower's OTP and answer with the verdict."""

    secret: bytes

    def journey_keys(self, message: VerifiedMessage) -> Sequence[str]:
        """Need the OTP session that the message names."""
        return (_answered(message).otp_session_key,)

    def decide(self, message: VerifiedMessage, journeys: Mapping[str, Journey], now: datetime) -> Decision:
        """Answer SUCCESS, INCORRECT_OTP or INVALID_SESSION."""
        answered = _answered(message)
        journey = journeys.get(answered.otp_session_key)
        session = _session(journey) if journey is not None and journey.kind == OTP_SESSION else None
        verdict, after = answer_session(
            session, sender=message.sender.organisation_id, otp=answered.otp, secret=self.secret
        )
        data = {"otpSessionKey": answered.otp_session_key, "status": verdict.value}
        return Decision(
            journeys=[_journey(after)] if after is not None else [],
            outgoing=[_answer(message, "VerifyLoanAcceptanceResponse", data)],
        )


def _answered(message: VerifiedMessage) -> Any:
    return cast("VerifyLoanAcceptanceRequest", message.content).cred_block.data


def _answer(message: VerifiedMessage, name: str, data: Mapping[str, Any]) -> Outgoing:
    content = {
        "requestId": message.request_id,
        "response": {"error": SUCCESS},
        "credBlock": {"type": "OTP", "data": data},
    }
    return Outgoing(message.sender.organisation_id, name, message.request_id, content)


def _journey(session: OtpSession) -> Journey:
    state = {
        "loanApplicationIds": list(session.loan_application_ids),
        "otpDigest": session.otp_digest,
        "triesLeft": session.tries_left,
        "state": session.state.value,
    }
    return Journey(session.key, OTP_SESSION, session.sender, state, session.expires_at)


def _session(journey: Journey) -> OtpSession:
    return OtpSession(
        key=journey.key,
        sender=journey.participant,
        loan_application_ids=journey.state["loanApplicationIds"],
        otp_digest=journey.state["otpDigest"],
        expires_at=journey.expires_at,
        tries_left=journey.state["triesLeft"],
        state=SessionState(journey.state["state"]),
    )
