"""The borrower's OTP, which is the same thing in every version (OCEN OTPBlock)."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints

OTP_DIGITS = 6


class OtpStatus(StrEnum):
    """How the verification of an OTP ended (OCEN OTPBlock.status)."""

    SUCCESS = "SUCCESS"
    INVALID_SESSION = "INVALID_SESSION"
    INCORRECT_OTP = "INCORRECT_OTP"


def _as_digits(value: Any) -> Any:
    # The schemas say number, every sample says string (P12). A number has lost its leading zeros.
    return str(value).zfill(OTP_DIGITS) if isinstance(value, int) and not isinstance(value, bool) else value


Otp = Annotated[str, StringConstraints(pattern=r"^[0-9]{4,8}$"), BeforeValidator(_as_digits)]
