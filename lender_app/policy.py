"""What this lender allows: figures and the magic loan application ids of the sandbox."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """How an acceptance by OTP goes. OCEN gives no figures; these are ours.

    Attributes:
        otp_validity: how long an OTP session stays open.
        tries: so many wrong OTPs close the session.
    """

    otp_validity: timedelta = timedelta(minutes=5)
    tries: int = 3


class ApplicationStanding(Enum):
    """How a loan application stands towards the LSP that names it."""

    ACCEPTED = "its borrower has accepted an offer"
    NOT_ACCEPTED = "no offer has been accepted yet"
    UNKNOWN = "no such application of this sender"


MAGIC_PREFIXES = {
    "UNKNOWN-": ApplicationStanding.UNKNOWN,
    "FOREIGN-": ApplicationStanding.UNKNOWN,
    "NOTACCEPTED-": ApplicationStanding.NOT_ACCEPTED,
}
"""Loan application ids that the sandbox lender refuses, by their beginning: one that nobody has, one of another sender
(for whom it looks the same, so that nobody learns which ids exist), one whose offer has not been accepted yet."""


def standing(loan_application_id: str) -> ApplicationStanding:
    """Tell how an application stands. Until applications come in by message, any id but a magic one is accepted."""
    for prefix, magic in MAGIC_PREFIXES.items():
        if loan_application_id.startswith(prefix):
            return magic
    return ApplicationStanding.ACCEPTED
