"""The borrower's choice among offers. In the sandbox a preference takes the place of the person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any


class Preference(StrEnum):
    """By what a borrower chooses among offers; the lowest wins."""

    APR = "apr"
    INSTALMENT = "instalment"


@dataclass(frozen=True, slots=True)
class OfferSeen:
    """One offer as the borrower compares it: APR in percent of a year, the instalment in the currency of the loan.

    None stands for what the lender does not tell, or tells in a way that is no figure.
    """

    lender: str
    id: str
    apr: Decimal | None
    instalment: Decimal | None
    valid_till: str


def choose(offers: Sequence[OfferSeen], preference: Preference) -> OfferSeen | None:
    """Return the offer that the borrower takes; of two that are equal the first. None where there is none.

    One that cannot be compared is taken where there is no other.
    """
    by_apr = preference is Preference.APR
    figures = [(offer, offer.apr if by_apr else offer.instalment) for offer in offers]
    comparable = [(offer, figure) for offer, figure in figures if figure is not None]
    return min(comparable or figures, key=lambda one: one[1] or 0, default=(None, None))[0]


def offers_seen(lender: str, offers: Sequence[Any]) -> list[OfferSeen]:
    """Read what a borrower compares from the offers of a GenerateOffersResponse."""
    return [_seen(lender, offer) for offer in offers]


def _seen(lender: str, offer: Any) -> OfferSeen:
    told: Mapping[str, Any] = offer.terms.extensible_data or {}
    apr = _figure(told.get("apr", offer.terms.interest_rate))
    per_plan = [plan.total_amount / plan.instalments for plan in offer.repayment.plans[:1]]
    instalment = _figure(told.get("instalmentAmount", *per_plan))
    return OfferSeen(lender, offer.id, apr, instalment, offer.valid_till)


def _figure(told: Any) -> Decimal | None:
    """Read a figure that no schema has judged."""
    if isinstance(told, bool) or not isinstance(told, str | int | float | Decimal):
        return None
    try:
        figure = Decimal(str(told))
    except (InvalidOperation, ValueError):
        return None
    return figure if figure.is_finite() and figure > 0 else None
