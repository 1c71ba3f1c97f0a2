"""Wrong OTPs of a loan application, counted over all its OTP sessions: a new session is no new chance to guess.

A session ends after a few wrong answers, but a sender can open thousands. Three guesses in each would find an OTP of
six digits within an hour, and the borrower would have accepted a loan that he knows nothing of.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from lender_app.policy import AcceptancePolicy
from shared.node.journeys import Journey

WRONG_OTPS = "wrong-otps"


def wrong_otps_keys(sender: str, loan_application_ids: Sequence[str]) -> list[str]:
    """Return the keys under which the wrong OTPs of these applications of a sender are counted."""
    return [_key(sender, one) for one in loan_application_ids]


def is_guessed_at(
    sender: str, loan_application_ids: Sequence[str], journeys: Mapping[str, Journey], policy: AcceptancePolicy
) -> bool:
    """Tell whether one of the applications has had too many wrong OTPs."""
    return any(_count(sender, one, journeys) >= policy.wrong_otps for one in loan_application_ids)


def counted(
    sender: str,
    loan_application_ids: Sequence[str],
    journeys: Mapping[str, Journey],
    policy: AcceptancePolicy,
    now: datetime,
) -> list[Journey]:
    """Return the counts after one more wrong OTP; they are forgotten some time after the last."""
    until = now + policy.wrong_otps_memory
    return [
        Journey(_key(sender, one), WRONG_OTPS, sender, {"count": _count(sender, one, journeys) + 1}, until)
        for one in loan_application_ids
    ]


def _count(sender: str, loan_application_id: str, journeys: Mapping[str, Journey]) -> int:
    journey = journeys.get(_key(sender, loan_application_id))
    return 0 if journey is None else int(journey.state["count"])


def _key(sender: str, loan_application_id: str) -> str:
    return f"wrong otps\n{sender}\n{loan_application_id}"
