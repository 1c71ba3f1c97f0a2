"""Loan acceptance: the borrower confirms by an OTP that the lender sends (OCEN v3, Loan Acceptance).

The published schema shares one OTP block among the four messages and requires `status` in all of them, though it means
something only in the last; the published sample of the first has `appToken` alone. Each message here requires what
it cannot do without.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from shared.catalogue.bodies.body import Body, Identifier, ShortText
from shared.catalogue.bodies.otp import Otp, OtpStatus
from shared.catalogue.bodies.v3.message import Message, Response


class OtpBlock(Body):
    """`credBlock.data` with everything optional, as the samples have it: what is not said is null or absent."""

    app_token: ShortText | None = None
    otp_session_key: Identifier | None = None
    masked_phone_number: ShortText | None = None
    otp: Otp | None = None
    status: OtpStatus | None = None
    url: ShortText | None = None
    extensible_data: dict[str, Any] | None = None


class OtpSession(OtpBlock):
    """The block that names an open OTP session."""

    otp_session_key: Identifier


class OtpAnswer(OtpSession):
    """The block with the OTP that the borrower entered."""

    otp: Otp


class OtpVerdict(OtpBlock):
    """The block that tells how the verification ended."""

    status: OtpStatus


class CredBlock(Body):
    """The credentials of an acceptance; OTP is the only type that OCEN v3 knows."""

    type: Literal["OTP"]
    data: OtpBlock
    extensible_data: dict[str, Any] | None = None


class CredBlockWithAnswer(CredBlock):
    """Credentials that carry the borrower's OTP."""

    data: OtpAnswer


class CredBlockWithVerdict(CredBlock):
    """Credentials that carry the lender's verdict: whether the OTP was right."""

    data: OtpVerdict


class TriggerLoanAcceptanceRequest(Message):
    """The LSP asks the lender to send the borrower an OTP for accepting these loan applications."""

    loan_application_ids: Annotated[list[Identifier], Field(min_length=1, max_length=100)]
    cred_block: CredBlock


class TriggerLoanAcceptanceResponse(Message):
    """The lender tells that the OTP has gone out, to which masked number, and the key of the OTP session."""

    response: Response
    cred_block: CredBlock


class VerifyLoanAcceptanceRequest(Message):
    """The LSP hands the lender the OTP that the borrower has entered."""

    cred_block: CredBlockWithAnswer


class VerifyLoanAcceptanceResponse(Message):
    """The lender tells whether the OTP was right: SUCCESS, INCORRECT_OTP or INVALID_SESSION."""

    response: Response
    cred_block: CredBlockWithVerdict
