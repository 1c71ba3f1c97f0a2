"""Loan acceptance: the borrower confirms by an OTP that the lender sends (OCEN 4.0, Loan Acceptance).

The schema requires nothing inside the credBlock. Each message here requires what it cannot do without; a callback
needs its block only if its response reports SUCCESS.
"""

from typing import Any, Literal, Self

from pydantic import model_validator

from shared.catalogue.bodies.body import Body, Identifier, ShortText
from shared.catalogue.bodies.otp import Otp, OtpStatus
from shared.catalogue.bodies.v4.message import LoanApplicationStatus, Message, Response, ResponseStatus, missing


class AppToken(Body):
    """What lets the borrower's phone read the OTP by itself."""

    app_token: ShortText | None = None


class CredBlockOfTrigger(Body):
    """How the borrower is to prove the acceptance; OTP is the only type that OCEN 4.0 knows."""

    type: Literal["OTP"] | None = None
    data: AppToken | None = None
    extensible_data: dict[str, Any] | None = None


class OtpSession(Body):
    """The OTP session, and where its OTP went."""

    otp_session_key: Identifier | None = None
    masked_phone_number: ShortText | None = None


class CredBlockWithSession(Body):
    """Credentials that tell of an OTP session."""

    data: OtpSession | None = None
    extensible_data: dict[str, Any] | None = None


class OtpAnswer(Body):
    """The OTP that the borrower entered, and the session that it answers."""

    otp_session_key: Identifier
    otp: Otp


class CredBlockWithAnswer(Body):
    """Credentials that carry the borrower's OTP."""

    data: OtpAnswer
    extensible_data: dict[str, Any] | None = None


class OtpVerdict(Body):
    """How the verification ended."""

    otp_session_key: Identifier | None = None
    status: OtpStatus | None = None


class CredBlockWithVerdict(Body):
    """Credentials that carry the lender's verdict: whether the OTP was right."""

    data: OtpVerdict | None = None
    extensible_data: dict[str, Any] | None = None


class TriggerLoanAcceptanceRequest(Message):
    """The Loan Agent asks the lender to send the borrower an OTP for accepting this loan application."""

    loan_application_id: Identifier
    cred_block: CredBlockOfTrigger


class TriggerLoanAcceptanceResponse(Message):
    """The lender tells that the OTP has gone out, to which masked number, and the key of the OTP session."""

    response: Response
    loan_application_id: Identifier
    loan_application_status: LoanApplicationStatus
    cred_block: CredBlockWithSession

    @model_validator(mode="after")
    def _success_names_the_session(self) -> Self:
        data = self.cred_block.data
        if self.response.status is ResponseStatus.SUCCESS and (data is None or data.otp_session_key is None):
            raise missing("credBlock.data.otpSessionKey, as response.status is SUCCESS")
        return self


class VerifyLoanAcceptanceRequest(Message):
    """The Loan Agent hands the lender the OTP that the borrower has entered."""

    loan_application_id: Identifier
    cred_block: CredBlockWithAnswer


class VerifyLoanAcceptanceResponse(Message):
    """The lender tells whether the OTP was right: SUCCESS, INCORRECT_OTP or INVALID_SESSION."""

    response: Response
    loan_application_id: Identifier
    loan_application_status: LoanApplicationStatus
    cred_block: CredBlockWithVerdict | None = None

    @model_validator(mode="after")
    def _success_has_a_verdict(self) -> Self:
        data = self.cred_block.data if self.cred_block is not None else None
        if self.response.status is ResponseStatus.SUCCESS and (data is None or data.status is None):
            raise missing("credBlock.data.status, as response.status is SUCCESS")
        return self
