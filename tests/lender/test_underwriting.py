"""Underwriting: what is offered to whom, until when, and what the offer says of its costs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from lender_app.lending import LendingFigures, end_of_working_day
from lender_app.loan import Event
from lender_app.personas import Persona, answer_delay, persona_of
from lender_app.pricing import LoanOffer, LoanTerm, TermUnit
from lender_app.underwriting import (
    MISSING_DOCUMENT,
    CreditCase,
    Declined,
    DeclineReason,
    DocumentAskedFor,
    GivenDocument,
    OffersMade,
    underwrite,
)

FIGURES = LendingFigures()
MONDAY = datetime(2031, 3, 3, 9, 30, tzinfo=UTC)
CASE = CreditCase(
    key="LSP-417\nAPPL-1",
    persona=Persona.STRAIGHT_THROUGH,
    amount=Decimal("20000.00"),
    term=LoanTerm(24, TermUnit.MONTH),
    loan_type="CASHFLOW",
)


def offers(case: CreditCase, now: datetime = MONDAY) -> tuple[LoanOffer, ...]:
    decision = underwrite(case, FIGURES, now)
    assert isinstance(decision, OffersMade)
    return decision.offers


def test_an_offer_tells_instalments_charges_with_their_tax_and_the_apr() -> None:
    offer, shorter = offers(CASE)

    assert (offer.rate, offer.term) == (Decimal(15), LoanTerm(24, TermUnit.MONTH))
    assert (offer.charges.processing, offer.charges.processing_tax) == (Decimal("472.00"), Decimal("72.00"))
    assert (offer.charges.bounce, offer.charges.late_payment) == (Decimal("590.00"), Decimal("300.00"))
    assert (offer.schedule[0].amount, offer.schedule[-1].amount) == (Decimal("969.73"), Decimal("969.79"))
    assert (offer.interest, offer.total) == (Decimal("3273.58"), Decimal("23273.58"))
    assert offer.net_disbursed == Decimal("19528.00")
    assert offer.apr == Decimal("17.4496")
    assert (shorter.rate, shorter.term) == (Decimal(14), LoanTerm(12, TermUnit.MONTH))


def test_an_offer_by_days_is_paid_back_at_once_with_interest_to_the_day() -> None:
    (offer,) = offers(replace(CASE, term=LoanTerm(90, TermUnit.DAY)))

    assert [(row.principal, row.interest) for row in offer.schedule] == [(Decimal("20000.00"), Decimal("739.73"))]
    assert offer.apr == Decimal("25.1651")


def test_without_a_tenure_the_lender_chooses_and_the_type_of_loan_sets_the_rate() -> None:
    assert offers(replace(CASE, term=None))[0].term == LoanTerm(3, TermUnit.MONTH)
    assert offers(replace(CASE, loan_type="PERSONAL"))[0].rate == Decimal(21)
    assert offers(replace(CASE, loan_type=None))[0].rate == Decimal(18)


def test_a_loan_of_one_instalment_has_one_offer() -> None:
    assert len(offers(replace(CASE, term=LoanTerm(1, TermUnit.MONTH)))) == 1


def test_the_same_case_has_the_same_ids_and_each_round_application_and_offer_its_own() -> None:
    other_round, other = replace(CASE, offer_round=2), replace(CASE, key="LSP-417\nAPPL-2")

    assert offers(CASE) == offers(CASE)
    ids = [offer.id for case in (CASE, other_round, other) for offer in offers(case)]
    plans = [plan for offer in offers(CASE) for plan in (offer.id, offer.disbursement_plan_id, offer.repayment_plan_id)]
    assert len(set(ids)) == len(ids) == 6
    assert len(set(plans)) == len(plans) == 6
    assert all(len(offer_id) == 36 for offer_id in ids)


@pytest.mark.parametrize(
    ("made_at", "last_day"),
    [
        ("2031-03-03T09:30:00+00:00", "2031-03-06"),
        ("2031-03-05T09:30:00+00:00", "2031-03-10"),
        ("2031-03-07T18:29:59+00:00", "2031-03-12"),
        ("2031-03-07T18:30:00+00:00", "2031-03-12"),
        ("2031-03-09T18:29:59+00:00", "2031-03-12"),
        ("2031-03-09T18:30:00+00:00", "2031-03-13"),
    ],
)
def test_an_offer_is_valid_to_the_end_of_the_third_working_day_in_india(made_at: str, last_day: str) -> None:
    (offer, _) = offers(CASE, datetime.fromisoformat(made_at))

    assert offer.valid_till.isoformat() == f"{last_day}T23:59:59+05:30"
    assert offer.expires_at - offer.valid_till == timedelta(seconds=1)


@given(st.integers(0, 50_000), st.integers(1, 20))
def test_the_last_day_of_an_offer_is_a_working_day(hours: int, days: int) -> None:
    now = MONDAY + timedelta(hours=hours)
    end = end_of_working_day(now, days)
    assert end.weekday() < 5
    assert timedelta(days=days) <= end - now < timedelta(days=days + 2 * (days // 5 + 2))


@given(
    st.decimals(1_000, 1_000_000, places=2),
    st.builds(LoanTerm, st.integers(1, 60), st.just(TermUnit.MONTH))
    | st.builds(LoanTerm, st.integers(7, 1_095), st.just(TermUnit.DAY)),
    st.sampled_from([*FIGURES.rates, None]),
)
def test_every_offer_adds_up(amount: Decimal, term: LoanTerm, loan_type: str | None) -> None:
    for offer in offers(replace(CASE, amount=amount, term=term, loan_type=loan_type)):
        assert sum(row.amount for row in offer.schedule) == offer.total
        assert offer.net_disbursed + offer.charges.processing == offer.amount == amount
        assert offer.apr > offer.rate


def test_an_offer_is_the_same_after_it_was_kept_as_json() -> None:
    kept = TypeAdapter(LoanOffer)
    offer = offers(CASE)[0]
    assert kept.validate_json(kept.dump_json(offer)) == offer


@pytest.mark.parametrize(
    ("persona", "reason"),
    [
        (Persona.LOW_CREDIT_SCORE, DeclineReason.LOW_CREDIT_SCORE),
        (Persona.NO_DATA, DeclineReason.AA_FAILED),
        (Persona.FRAUD, DeclineReason.FRAUD),
    ],
)
def test_some_borrowers_are_declined(persona: Persona, reason: DeclineReason) -> None:
    decision = underwrite(replace(CASE, persona=persona), FIGURES, MONDAY)
    assert isinstance(decision, Declined)
    assert (decision.reason, decision.event) == (reason, Event.UNDERWRITING_REJECTED)


@pytest.mark.parametrize(
    "persona",
    [
        Persona.INVOICES,
        Persona.CONSENT_REFUSED_ONCE,
        Persona.CONSENT_SLOW,
        Persona.AGGREGATOR_AWAY_ONCE,
        Persona.OFFER_LEFT_TO_EXPIRE,
    ],
)
def test_whose_story_is_told_elsewhere_is_offered_as_anybody(persona: Persona) -> None:
    assert offers(replace(CASE, persona=persona)) == offers(CASE)


def test_a_missing_document_is_asked_for_until_the_right_one_comes() -> None:
    case = replace(CASE, persona=Persona.DOCUMENT_MISSING)
    wrong, right = GivenDocument(MISSING_DOCUMENT, "PAN"), GivenDocument(MISSING_DOCUMENT, "GST_PROFILE")
    elsewhere = GivenDocument("ANOTHER", "GST_PROFILE")

    for documents, again in ((), False), ((elsewhere,), False), ((wrong,), True):
        asked = underwrite(replace(case, documents=documents, document_round=2), FIGURES, MONDAY)
        assert isinstance(asked, DocumentAskedFor)
        assert (asked.reference, asked.again) == (MISSING_DOCUMENT, again)
        assert asked.event is Event.UNDERWRITING_ACTION_REQUIRED
    assert offers(replace(case, documents=(wrong, right))) == offers(CASE)


def test_documents_are_not_asked_for_without_end() -> None:
    case = replace(CASE, persona=Persona.DOCUMENT_MISSING, document_round=FIGURES.document_rounds)
    decision = underwrite(case, FIGURES, MONDAY)
    assert isinstance(decision, Declined)
    assert decision.reason is DeclineReason.DOC_IRREGULARITIES


@pytest.mark.parametrize(
    ("primary_id", "persona"),
    [
        ("AAGCK2001Q", Persona.LOW_CREDIT_SCORE),
        ("BKQPS0000L", Persona.STRAIGHT_THROUGH),
        ("BKQPS4417L", Persona.STRAIGHT_THROUGH),
        ("9800002001", Persona.STRAIGHT_THROUGH),
        ("bkqps2001l", Persona.STRAIGHT_THROUGH),
        ("", Persona.STRAIGHT_THROUGH),
    ],
)
def test_the_digits_of_a_pan_choose_the_story(primary_id: str, persona: Persona) -> None:
    assert persona_of(primary_id) is persona


@pytest.mark.parametrize(("primary_id", "minutes"), [("AAGCK9015Q", 15), ("AAGCK0015Q", 0), ("9015", 0)])
def test_a_slow_lender_answers_after_the_minutes_in_the_pan(primary_id: str, minutes: int) -> None:
    assert answer_delay(primary_id) == timedelta(minutes=minutes)
