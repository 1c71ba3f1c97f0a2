"""How OCEN v3 says it: `loanApplicationIds`, and `response.error` "0"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from lender_app.speech import EnteredOtp, OtpJudged, SessionOpened
from shared.catalogue.bodies.v3.loan_acceptance import TriggerLoanAcceptanceRequest, VerifyLoanAcceptanceRequest
from shared.node.journeys import Outgoing, callback_to
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import SUCCESS


@dataclass(frozen=True, slots=True)
class SpeechOfV3:
    """Translates loan acceptance."""

    knows_applications: bool = False

    def wanted(self, message: VerifiedMessage) -> Sequence[str]:
        """Return the ids of the loan applications that are to be accepted."""
        return cast("TriggerLoanAcceptanceRequest", message.content).loan_application_ids

    def answer(self, message: VerifiedMessage) -> EnteredOtp:
        """Return the borrower's answer; it names no application."""
        data = cast("VerifyLoanAcceptanceRequest", message.content).cred_block.data
        return EnteredOtp(data.otp_session_key, data.otp)

    def opened(self, message: VerifiedMessage, session: SessionOpened) -> Outgoing:
        """Write the callback to a request for acceptance."""
        data = {"otpSessionKey": session.session_key, "maskedPhoneNumber": session.masked_phone}
        return _callback(message, data)

    def judged(self, message: VerifiedMessage, outcome: OtpJudged) -> Outgoing:
        """Write the callback to an OTP."""
        data = {"otpSessionKey": outcome.session_key, "status": outcome.verdict.value}
        return _callback(message, data)


def _callback(message: VerifiedMessage, data: Mapping[str, Any]) -> Outgoing:
    content = {
        "requestId": message.request_id,
        "response": {"error": SUCCESS},
        "credBlock": {"type": "OTP", "data": data},
    }
    return callback_to(message, content)
