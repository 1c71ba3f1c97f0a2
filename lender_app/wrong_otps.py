"""Wrong OTPs of a loan application, counted over all its OTP sessions: a new session is no new chance to guess.

A session ends after a few wrong answers, but a sender can open thousands. Three guesses in each would find an OTP of
six digits within an hour, and the borrower would have accepted a loan that he knows nothing of.
"""

from collections.abc import Sequence
from datetime import datetime

from lender_app.policy import AcceptancePolicy
from shared.node.rules import Record, Records, find_records

WRONG_OTPS = "wrong-otps"


def is_guessed_at(sender: str, loan_application_ids: Sequence[str], records: Records, policy: AcceptancePolicy) -> bool:
    """Tell whether one of these applications of the sender has had too many wrong OTPs, in whatever sessions."""
    return any(count >= policy.wrong_otps for count in _counts(sender, loan_application_ids, records))


def counted(
    sender: str, loan_application_ids: Sequence[str], records: Records, policy: AcceptancePolicy, now: datetime
) -> list[Record]:
    """Return the counts after one more wrong OTP; forgotten some time after the last. `now` is protocol time."""
    until = now + policy.wrong_otps_memory
    counts = zip(loan_application_ids, _counts(sender, loan_application_ids, records), strict=True)
    return [Record(_id(sender, id_), WRONG_OTPS, sender, {"count": count + 1}, until) for id_, count in counts]


def _counts(sender: str, loan_application_ids: Sequence[str], records: Records) -> list[int]:
    found = find_records(records, [_id(sender, id_) for id_ in loan_application_ids])
    return [0 if record is None else int(record.state["count"]) for record in found]


def _id(sender: str, loan_application_id: str) -> str:
    return f"wrong otps\n{sender}\n{loan_application_id}"
