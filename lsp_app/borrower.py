"""The borrower whom the LSP serves: what he does when he is asked. A strategy stands for the person in the sandbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Preference(StrEnum):
    """By what a borrower chooses among offers; the lowest wins."""

    APR = "apr"
    INSTALMENT = "instalment"


@dataclass(frozen=True, slots=True)
class OfferSeen:
    """One offer as the borrower compares it: APR in percent of a year, the instalment in the currency of the loan."""

    lender: str
    id: str
    apr: Decimal
    instalment: Decimal
    valid_till: str


def choose(offers: Sequence[OfferSeen], preference: Preference) -> OfferSeen | None:
    """Return the offer that the borrower takes; of two that are equal the first. None where there is none."""
    return min(offers, key=lambda offer: offer.apr if preference is Preference.APR else offer.instalment, default=None)


def offers_seen(lender: str, offers: Sequence[Any]) -> list[OfferSeen]:
    """Read what a borrower compares from the offers of a GenerateOffersResponse."""
    return [_seen(lender, offer) for offer in offers]


def _seen(lender: str, offer: Any) -> OfferSeen:
    told: Mapping[str, Any] = offer.terms.extensible_data or {}
    plan = offer.repayment.plans[0]
    apr = told.get("apr", offer.terms.interest_rate or 0)
    instalment = told.get("instalmentAmount", plan.total_amount / plan.instalments)
    return OfferSeen(lender, offer.id, Decimal(str(apr)), Decimal(str(instalment)), offer.valid_till)
