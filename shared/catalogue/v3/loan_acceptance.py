"""Loan acceptance: the borrower confirms by an OTP that the lender sends (OCEN v3, Loan Acceptance).

The published schema shares one OTP block among the four messages and requires `status` in all of them, though it means
something only in the last; the published sample of the first has `appToken` alone. Each message here requires what
it cannot do without.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from shared.catalogue.v3.body import Body, Identifier, Message, Response, ShortText

OTP_DIGITS = 6


class OtpStatus(StrEnum):
    """How the verification of an OTP ended (OCEN v3 OTPBlock.status)."""

    SUCCESS = "SUCCESS"
    INVALID_SESSION = "INVALID_SESSION"
    INCORRECT_OTP = "INCORRECT_OTP"


def _as_digits(value: Any) -> Any:
    # The schema says number, every sample says string. A number has lost its leading zeros.
    return str(value).zfill(OTP_DIGITS) if isinstance(value, int) and not isinstance(value, bool) else value


Otp = Annotated[str, StringConstraints(pattern=r"^[0-9]{4,8}$"), BeforeValidator(_as_digits)]


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
    """Credentials that carry the lender's verdict."""

    data: OtpVerdict


class TriggerLoanAcceptanceRequest(Message):
    """TriggerLoanAcceptanceRequest: for which applications the borrower is to be asked."""

    loan_application_ids: Annotated[list[Identifier], Field(min_length=1, max_length=100)]
    cred_block: CredBlock


class TriggerLoanAcceptanceResponse(Message):
    """TriggerLoanAcceptanceResponse: the OTP session, unless `response.error` says why there is none."""

    response: Response
    cred_block: CredBlock


class VerifyLoanAcceptanceRequest(Message):
    """VerifyLoanAcceptanceRequest: the OTP that the borrower has entered."""

    cred_block: CredBlockWithAnswer


class VerifyLoanAcceptanceResponse(Message):
    """VerifyLoanAcceptanceResponse: whether the OTP was right."""

    response: Response
    cred_block: CredBlockWithVerdict
