"""The one status that a message shows, derived from the milestones of a loan (OCEN v3 and 4.0, loanApplicationStatus).

It is never stored. For each version a list is read from the top: the first axis whose state has a status decides.
"""

from collections.abc import Mapping
from typing import Final

from lender_app.loan import AgreementState as Agreement
from lender_app.loan import Axis, Milestones, State
from lender_app.loan import ConsentState as Consent
from lender_app.loan import IntakeState as Intake
from lender_app.loan import OfferState as Offer

_Lines = tuple[tuple[Axis, Mapping[State, str]], ...]

_V3: Final[_Lines] = (
    (Axis.INTAKE, {Intake.REJECTED: "REJECTED", Intake.CANCELLED: "REJECTED", Intake.CLOSED: "GRANTED"}),
    (
        Axis.OFFER,
        {
            Offer.REJECTED: "REJECTED",
            Offer.ACCEPTED: "OFFER_ACCEPTED",
            Offer.OFFERED: "OFFERED",
            Offer.EXPIRED: "OFFERED",
            Offer.ACTION_REQUIRED: "ACTION REQUIRED",
        },
    ),
)

_V4: Final[_Lines] = (
    (Axis.INTAKE, {Intake.CANCELLED: "CANCELLED", Intake.CLOSED: "CLOSED", Intake.REJECTED: "REJECTED"}),
    (Axis.OFFER, {Offer.REJECTED: "REJECTED"}),
    (
        Axis.AGREEMENT,
        {
            Agreement.COMPLETED: "LOAN_AGREEMENT_COMPLETED",
            Agreement.FAILED: "LOAN_AGREEMENT_FAILED",
            Agreement.ACTION_REQUIRED: "ACTION_REQUIRED",
            Agreement.READY: "LOAN_AGREEMENT_INITIATED",
            Agreement.OTP_SENT: "LOAN_AGREEMENT_INITIATED",
        },
    ),
    (
        Axis.OFFER,
        {
            Offer.ACCEPTED: "OFFER_ACCEPTED",
            Offer.OFFERED: "OFFERED",
            Offer.EXPIRED: "OFFERED",
            Offer.ACTION_REQUIRED: "ACTION_REQUIRED",
            Offer.UNDERWRITING: "PROCESSING",
        },
    ),
    (
        Axis.CONSENT,
        {
            Consent.READY: "CONSENT_RECEIVED",
            Consent.PENDING: "CONSENT_INITIATED",
            Consent.FAILED: "CONSENT_REJECTED",
        },
    ),
)

_LINES: Final[Mapping[str, _Lines]] = {"v3": _V3, "v4": _V4}


def derived_status(milestones: Milestones, version: str) -> str:
    """Return the loanApplicationStatus of an application, in the words of a version of OCEN (`v3`, `v4`).

    Where no milestone says more, it is PROCESSING. The monitoring consent never shows.
    """
    for axis, words in _LINES[version]:
        status = words.get(milestones.state_of(axis))
        if status is not None:
            return status
    return "PROCESSING"
