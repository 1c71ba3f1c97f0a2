"""The borrowers of the sandbox: the four digits of a PAN choose a story, so that an outcome is never set by a switch.

A PAN reads AAAAA9999A; its letters are free. A borrower without a PAN, or with other digits, goes straight through.
"""

import re
from datetime import timedelta
from enum import StrEnum

_PAN = re.compile(r"[A-Z]{5}(\d{4})[A-Z]", re.ASCII)


class Persona(StrEnum):
    """What happens to a borrower, by the digits of the PAN."""

    STRAIGHT_THROUGH = "0000"
    INVOICES = "1001"
    """Several invoices in one message, of which one is too old and one has been financed through another LSP."""
    CONSENT_REFUSED_ONCE = "1002"
    CONSENT_SLOW = "1003"
    AGGREGATOR_AWAY_ONCE = "1004"
    LOW_CREDIT_SCORE = "2001"
    NO_DATA = "2002"
    """The consent is given, but the Account Aggregator delivers no data."""
    FRAUD = "2003"
    DOCUMENT_MISSING = "2010"
    OFFER_LEFT_TO_EXPIRE = "2020"
    """The lender offers as to anybody; the borrower comes back after the offer has run out."""


def persona_of(primary_id: str) -> Persona:
    """Return the story that belongs to this PAN; a PAN without one goes straight through."""
    digits = _digits(primary_id)
    return Persona(digits) if digits in set(Persona) else Persona.STRAIGHT_THROUGH


def answer_delay(primary_id: str) -> timedelta:
    """Return how long this borrower's lender takes to answer, in business time: digits 9nnn stand for nnn minutes."""
    digits = _digits(primary_id)
    return timedelta(minutes=int(digits[1:])) if digits.startswith("9") else timedelta(0)


def _digits(primary_id: str) -> str:
    found = _PAN.fullmatch(primary_id)
    return found[1] if found else ""
