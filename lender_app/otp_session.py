"""The lender's rules of loan acceptance: pure functions from what is known to what is decided.

OCEN, TriggerLoanAcceptance and VerifyLoanAcceptance. No HTTP, no SQL, no JSON, and no version of OCEN.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from lender_app.policy import AcceptancePolicy, AcceptanceState, simulated_acceptance_state


class SessionState(StrEnum):
    """An OTP session takes answers while OPEN; VERIFIED and LOCKED are final."""

    OPEN = "OPEN"
    VERIFIED = "VERIFIED"
    LOCKED = "LOCKED"


class OtpOutcome(StrEnum):
    """How the verification of an OTP ended."""

    SUCCESS = "SUCCESS"
    INCORRECT_OTP = "INCORRECT_OTP"
    INVALID_SESSION = "INVALID_SESSION"


@dataclass(frozen=True, slots=True)
class AcceptanceSession:
    """One request for acceptance: for whom, for what, and the OTP's digest (never the OTP).

    `expires_at` is aware, in UTC. `tries_left` counts wrong answers that are still allowed.
    """

    key: str
    sender: str
    loan_application_ids: Sequence[str]
    otp_digest: str
    expires_at: datetime
    tries_left: int
    state: SessionState = SessionState.OPEN


def worst_acceptance_state(
    loan_application_ids: Sequence[str], known: Mapping[str, AcceptanceState]
) -> AcceptanceState:
    """Return the worst state of these applications: one that cannot be accepted has the whole request refused.

    `known` has it of those that came in by message.
    """
    found = {known.get(id_) or simulated_acceptance_state(id_) for id_ in loan_application_ids}
    return next(worst for worst in AcceptanceState if worst in found)


def open_session(
    *,
    key: str,
    sender: str,
    loan_application_ids: Sequence[str],
    otp: str,
    secret: bytes,
    policy: AcceptancePolicy,
    now: datetime,
) -> AcceptanceSession:
    """Open an OTP session for one TriggerLoanAcceptanceRequest; each request has a session of its own."""
    return AcceptanceSession(
        key=key,
        sender=sender,
        loan_application_ids=tuple(loan_application_ids),
        otp_digest=digest(key, otp, secret),
        expires_at=now + policy.otp_validity,
        tries_left=policy.tries,
    )


def answer_session(
    session: AcceptanceSession | None, *, sender: str, otp: str, secret: bytes, loan_application_ids: Sequence[str] = ()
) -> tuple[OtpOutcome, AcceptanceSession | None]:
    """Judge an answer to a session and return the verdict with the session as it is afterwards.

    A session that is missing, expired, another sender's, used up, locked or not for the applications that the answer
    names is INVALID_SESSION, all alike.
    """
    if session is None or session.sender != sender or session.state is not SessionState.OPEN:
        return OtpOutcome.INVALID_SESSION, None
    if not set(loan_application_ids) <= set(session.loan_application_ids):
        return OtpOutcome.INVALID_SESSION, None
    if hmac.compare_digest(session.otp_digest, digest(session.key, otp, secret)):
        return OtpOutcome.SUCCESS, replace(session, state=SessionState.VERIFIED)
    tries_left = session.tries_left - 1
    state = SessionState.OPEN if tries_left > 0 else SessionState.LOCKED
    return OtpOutcome.INCORRECT_OTP, replace(session, tries_left=tries_left, state=state)


def digest(session_key: str, otp: str, secret: bytes) -> str:
    """Hash an OTP for storage. Six digits are soon guessed, so the hash is keyed with a secret kept elsewhere."""
    return hmac.new(secret, f"{session_key}:{otp}".encode(), hashlib.sha256).hexdigest()


def masked_phone_number(loan_application_id: str) -> str:
    """Return the borrower's phone number as OCEN shows it. The sandbox borrower's last digits come from the id."""
    number = int.from_bytes(hashlib.sha256(loan_application_id.encode()).digest()[:4], "big") % 1000
    return f"XXXXXXX{number:03d}"


def sms_text(otp: str, validity: timedelta) -> str:
    """Write the SMS to the borrower."""
    minutes = int(validity.total_seconds() // 60)
    return f"{otp} is your OTP to accept the loan. It is valid for {minutes} minutes. Do not share it."
