"""What this lender allows: its figures, and the magic loan application ids of the sandbox. OCEN gives none of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

from lender_app.lending import LendingFigures
from shared.node.ids import new_id


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """How an acceptance by OTP goes.

    Attributes:
        otp_validity: how long an OTP session stays open.
        tries: so many wrong OTPs close the session.
        wrong_otps: so many for one application, in whatever sessions, and no OTP of it counts until
            `wrong_otps_memory` after the last.
    """

    otp_validity: timedelta = timedelta(minutes=5)
    tries: int = 3
    wrong_otps: int = 15
    wrong_otps_memory: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LendingPolicy:
    """Which loan applications are taken.

    Attributes:
        currency: the only one; the amounts are in it.
        least, most: what may be asked for, both included.
        shortest, longest: tenure in days, both included.
        loan_types: what kinds of loan are given, where an application names one.
        clock_tolerance: so far ahead of our clock an application may have been created.
    """

    currency: str = "INR"
    least: Decimal = Decimal(1_000)
    most: Decimal = Decimal(1_000_000)
    shortest: int = 7
    longest: int = 3 * 365
    loan_types: frozenset[str] = frozenset({"BUSINESS", "CASHFLOW", "PERSONAL"})
    clock_tolerance: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Policy:
    """All that the lender's rules are given besides messages and records.

    Attributes:
        secret: with which OTPs are hashed.
        lending, figures, acceptance: what is lent, on what terms, and how an OTP is judged.
        draw_otp, draw_id: make an OTP and an id that nobody can foresee.
    """

    secret: bytes
    draw_otp: Callable[[], str]
    draw_id: Callable[[], str] = new_id
    lending: LendingPolicy = LendingPolicy()
    figures: LendingFigures = field(default_factory=LendingFigures)
    acceptance: AcceptancePolicy = AcceptancePolicy()


class AcceptanceState(Enum):
    """Whether a loan application can be accepted; the value says why not. The worst comes first."""

    UNKNOWN = "no such application of this sender"
    NOT_ACCEPTED = "no offer has been accepted yet"
    CLOSED = "it has been rejected, or its loan agreement is complete"
    ACCEPTED = "its borrower has accepted an offer"


MAGIC_PREFIXES: Mapping[str, AcceptanceState] = MappingProxyType(
    {
        "UNKNOWN-": AcceptanceState.UNKNOWN,
        "FOREIGN-": AcceptanceState.UNKNOWN,
        "NOTACCEPTED-": AcceptanceState.NOT_ACCEPTED,
    }
)
"""Loan application ids that the sandbox lender refuses, by their beginning: one that nobody has, one of another sender
(for whom it looks the same, so that nobody learns which ids exist), one whose offer has not been accepted yet."""


def simulated_acceptance_state(loan_application_id: str) -> AcceptanceState:
    """Return the state of an application that no message has created: the sandbox accepts any id but a magic one."""
    for prefix, magic in MAGIC_PREFIXES.items():
        if loan_application_id.startswith(prefix):
            return magic
    return AcceptanceState.ACCEPTED
